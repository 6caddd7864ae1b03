"""Every subject of storage, one line each: a file of this folder with a SUBJECT. They are written in this order."""

from importlib import import_module

from veche.storage.subject import Subject

_NAMES = (
    "accounts",
    "sessions",
    "rooms",
    "messages",
    "membership",
    "reading",
    "echo",
    "log",
)
SUBJECTS: tuple[Subject, ...] = tuple(import_module(f"veche.storage.{name}").SUBJECT for name in _NAMES)
