"""One worker of `veche serve --workers N`: a program that `cli.workers` starts. It serves on inherited sockets."""

import logging
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

logger = logging.getLogger("veche")


def main() -> None:
    """Serve until the parent says stop. An expected error is one line of the log, with the number of this worker."""
    place = from_argument(Place, sys.argv[1])
    os.umask(0o077)
    logs.hold()
    try:
        settings = read_settings(DIALECTS)
    except SettingsError as error:  # which form the log has is not known
        complain(f"worker {place.number}: {error}")
        raise SystemExit(1) from None
    begin_log(settings, place.number)
    try:
        serve(settings, [socket.socket(fileno=fd) for fd in place.listeners], place.report_listening, place)
    except (SettingsError, DatabaseError, BusError) as error:
        logger.critical("the worker cannot serve: %s", error)
        raise SystemExit(1) from None
    except Exception:
        logger.critical("the worker cannot serve, because of a bug", exc_info=True)
        raise SystemExit(1) from None
    finally:
        logging.shutdown()


if __name__ == "__main__":
    main()
