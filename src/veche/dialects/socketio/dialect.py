"""Declares the socketio dialect, and mounts its routes, sockets and applications."""

from veche.dialects.socketio import encode, rest
from veche.dialects.socketio.errors import ErrorBody, plain, problem
from veche.dialects.socketio.options import Options
from veche.dialects.socketio.socket import SocketioHandler
from veche.gateway.dialect import Dialect, Mounted, Parts
from veche.gateway.examples import examples_beside
from veche.gateway.fairness import InTurn
from veche.wire.socketio import FIRST_PAYLOAD, Caps, Namespaces, Polling, Server, WebSocketAccept

PING_TIMEOUT = 20.0  # seconds; the handshake tells it to the client


def mount(parts: Parts, options: Options) -> Mounted:
    """Build the routes, sockets and applications. No other dialect has these paths."""

    def handler() -> SocketioHandler:
        return SocketioHandler(parts.chat, parts.accounts, options.anonymous)

    engine = Server(
        lambda connection: Namespaces(connection, {"/": handler}),
        ping_interval=parts.ping_seconds,
        ping_timeout=PING_TIMEOUT,
        first_payload=FIRST_PAYLOAD,
        caps=Caps(
            per_address=options.connections_per_address,
            not_entered=options.not_entered,
            not_entered_per_address=options.not_entered_per_address,
        ),
        origins=parts.origins,
        trusted=parts.trusted,
        neighbours=parts.neighbours,
    )
    accept, polling = WebSocketAccept(engine), Polling(engine)
    application = InTurn(polling, parts.guests, parts.trusted, polling.has_entered)
    return Mounted(
        "socketio",
        routers=(rest.router_of(options.anonymous),),
        sockets={"/socket.io/": accept, "/socket.io": accept},
        applications={"/socket.io": application},
        plain=plain,
        problem=problem,
        error_bodies=(ErrorBody,),
        bodies=(encode.SignedIn, encode.User),
        owns=("/api/auth", "/api/users", "/api/messages"),
        drain=engine.drain,
        connections=engine,
        forwarded=application,
        about="One room for everybody over Socket.IO at `/socket.io/`.",
        examples=examples_beside(__file__),
    )


DIALECT = Dialect("socketio", Options, mount)
