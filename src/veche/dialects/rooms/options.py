"""What an operator may choose about the rooms contract."""

from typing import NamedTuple


class Options(NamedTuple):
    """Who speaks for the server in a room, who tells of errors, and how many bytes a message may have."""

    system_name: str
    error_name: str
    text_bytes: int
