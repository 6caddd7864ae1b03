"""Notification levels. They are stored with the memberships (`storage.membership`)."""

from veche.core.notifications import LevelChanged
from veche.storage.subject import Subject

SUBJECT = Subject(entries=(LevelChanged,))
