"""The native contract (docs/native.md): everything Veche can do, over REST under /v1 and one WebSocket.

`socket.py` is a connection's life, `frames.py` and `encode.py` its words, `rest.py` the calls,
`errors.py` the refusals.
"""
