"""Every subject of storage, one line each, in the order in which they are written.

A subject whose table refers to another table comes after the subject of that table.
"""

# isort: off
from veche.storage.log import SUBJECT as log
from veche.storage.accounts import SUBJECT as accounts
from veche.storage.sessions import SUBJECT as sessions
from veche.storage.refreshing import SUBJECT as refreshing
from veche.storage.closing import SUBJECT as closing
from veche.storage.blocks import SUBJECT as blocks
from veche.storage.people import SUBJECT as people
from veche.storage.rooms import SUBJECT as rooms
from veche.storage.room_settings import SUBJECT as room_settings
from veche.storage.membership import SUBJECT as membership
from veche.storage.ownership import SUBJECT as ownership
from veche.storage.roles import SUBJECT as roles
from veche.storage.notifications import SUBJECT as notifications
from veche.storage.bans import SUBJECT as bans
from veche.storage.invitations import SUBJECT as invitations
from veche.storage.links import SUBJECT as links
from veche.storage.messages import SUBJECT as messages
from veche.storage.client_ids import SUBJECT as client_ids
from veche.storage.editing import SUBJECT as editing
from veche.storage.deletion import SUBJECT as deletion
from veche.storage.threads import SUBJECT as threads
from veche.storage.mentions import SUBJECT as mentions
from veche.storage.reactions import SUBJECT as reactions
from veche.storage.pins import SUBJECT as pins
from veche.storage.files import SUBJECT as files
from veche.storage.reading import SUBJECT as reading
from veche.storage.echo import SUBJECT as echo
from veche.storage.subject import Subject
# isort: on

# The subjects are taken from the imports above. In a second list, one could be forgotten.
SUBJECTS: tuple[Subject, ...] = tuple(found for found in list(globals().values()) if isinstance(found, Subject))
