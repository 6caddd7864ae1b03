"""Roles. They are stored with the memberships (`storage.membership`)."""

from veche.core.roles import RoleChanged
from veche.storage.subject import Subject

SUBJECT = Subject(entries=(RoleChanged,))
