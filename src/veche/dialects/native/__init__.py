"""The native dialect (docs/native.md): every feature of Veche, over REST under /v1 and one WebSocket.

`rest.py` has the routes and `socket.py` the connection. `frames.py` has the frames from clients, `out.py` and
`answers.py` the values and frames to clients, `encode.py` the serializer, and `errors.py` the responses to refusals.
"""
