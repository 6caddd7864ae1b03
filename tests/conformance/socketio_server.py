"""The server for the public suites and for the real client."""

from __future__ import annotations

import argparse

import uvicorn

from tests.unit.wire.engineio.echoes import App
from veche.wire.websocket import WebSocket


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--host", default="localhost")
    arguments.add_argument("--usual-pings", action="store_true", help="25 and 20 seconds instead of the suites'")
    chosen = arguments.parse_args()
    app = App(25.0, 20.0) if chosen.usual_pings else App()
    uvicorn.run(
        app,  # type: ignore[arg-type]
        host=chosen.host,
        port=chosen.port,
        ws=WebSocket,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
