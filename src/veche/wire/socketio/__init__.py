"""Socket.IO 5 over Engine.IO 4, and its seam to the hub.

What a dialect writes:

```python
SHAPES = Shapes.of("socketio", lambda event: packets.event("message", ...) if type(event) is Message else None)

class Chatter:  # a client.Handler, made anew for each client that wants in; and a hub Listener
    def __init__(self, chat, accounts): ...

    async def connect(self, socket, auth):  # the client's 40{...}
        self._socket = socket
        try:
            login = await accounts.authenticate(auth.get("token"))
            self._seat = Seat(chat, login.account.person, login.session_id, self, "socketio")
            await chat.check_session(login.session_id)
        except ChatError:
            raise Refused("Unauthorized") from None
        self._head = (await chat.heads_of([LOBBY_ID]))[LOBBY_ID]
        if self._seat.ended:
            raise Refused("Unauthorized")

    def connected(self):  # 40{"sid":...} was written
        self._seat.open(self._socket)
        self._seat.hear(LOBBY_ID, SHAPES.now(self._socket), self._head)

    def event(self, name, data, ack):
        ...  # self._seat.submit(SendMessage(...), done); to this client alone: self._socket.emit(...), ack(...)

    def upgraded(self):
        move(chat.hub, self._seat.connection, self._socket, SHAPES)

    def caught_up(self, log_id):  # of the hub: nearly always moved already
        move(chat.hub, self._seat.connection, self._socket, SHAPES)

    def paused(self):
        self._seat.paused()

    def resumed(self):
        self._seat.resumed()

    def disconnected(self, reason):  # for each connect once, whether it got in or not
        if self._seat is not None:
            self._seat.leave()

    def session_ended(self):
        self._seat.leave(), self._socket.disconnect()  # stays away; after `close()`, for `lost`, it comes back

engine = Server(lambda session: Client(session, {"/": lambda: Chatter(chat, accounts)}), origins=..., trusted=...)
sockets = {"/socket.io/": WebSocketDoor(engine)}
mounts = {"/socket.io": Polling(engine)}
engine.drain()  # when the server stops, before uvicorn waits for its requests: a poll is one
```
"""

from veche.wire.engineio import Polling, Server, WebSocketDoor
from veche.wire.socketio.client import Ack, Client, Handler, Refused, Socket
from veche.wire.socketio.place import Shapes, move

__all__ = [
    "Ack",
    "Client",
    "Handler",
    "Polling",
    "Refused",
    "Server",
    "Shapes",
    "Socket",
    "WebSocketDoor",
    "move",
]
