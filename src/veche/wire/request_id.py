"""Ids of requests: the answer to a request that met a bug has the id of the line of the log with the traceback."""

import random

HEADER = "X-Request-Id"


def new_request_id() -> str:
    """Return a new id. It is no secret."""
    return f"{random.getrandbits(64):016x}"
