"""Every subject of storage, one line each. They are written in this order."""

from veche.storage import accounts, echo, log, membership, messages, reading, rooms, sessions
from veche.storage.subject import Subject

SUBJECTS: tuple[Subject, ...] = (
    accounts.SUBJECT,
    sessions.SUBJECT,
    rooms.SUBJECT,
    messages.SUBJECT,
    membership.SUBJECT,
    reading.SUBJECT,
    echo.SUBJECT,
    log.SUBJECT,
)
