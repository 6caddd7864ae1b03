"""What `veche doctor` finds out about a database."""

from typing import NamedTuple


class Finding(NamedTuple):
    """The result of one check. If it is not good, the sentence says what to do."""

    good: bool
    subject: str
    sentence: str
