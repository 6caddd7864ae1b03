"""One worker of `veche serve --workers N`: a program that `cli.workers` starts. It serves on inherited sockets."""

import os
import socket
import sys

from veche.app import DIALECTS
from veche.bus.bus import BusError
from veche.cli.place import Place, from_argument
from veche.cli.serve import begin_log, serve
from veche.cli.show import complain
from veche.ops import logs
from veche.settings import SettingsError, read_settings
from veche.storage.database import DatabaseError


def main() -> None:
    """Serve until the parent says stop. An expected error is printed as one sentence."""
    place = from_argument(Place, sys.argv[1])
    os.umask(0o077)
    logs.hold()
    try:
        settings = read_settings(DIALECTS)
        begin_log(settings, place.number)
        serve(settings, [socket.socket(fileno=fd) for fd in place.listeners], place.report_ready, place)
    except (SettingsError, DatabaseError, BusError) as error:
        complain(str(error))
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
