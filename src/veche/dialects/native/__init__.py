"""The native dialect (docs/native.md): every feature of Veche, over REST under /v1 and one WebSocket.

`rest.py` has the routes, `socket.py` the connection, `frames.py` the frames from clients, `out.py` and `answers.py` the
values and frames to clients, `encode.py` the serializer, `errors.py` the responses to refusals.
"""
