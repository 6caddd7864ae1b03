"""Every subject of storage, one line each, in the order in which they are written.

A subject whose table refers to another table comes after the subject of that table.
"""

# isort: off
from veche.storage.log import SUBJECT as log
from veche.storage.accounts import SUBJECT as accounts
from veche.storage.sessions import SUBJECT as sessions
from veche.storage.closing import SUBJECT as closing
from veche.storage.rooms import SUBJECT as rooms
from veche.storage.membership import SUBJECT as membership
from veche.storage.ownership import SUBJECT as ownership
from veche.storage.messages import SUBJECT as messages
from veche.storage.reading import SUBJECT as reading
from veche.storage.echo import SUBJECT as echo
from veche.storage.subject import Subject
# isort: on

# The subjects are taken from the imports above. In a second list, one could be forgotten.
SUBJECTS: tuple[Subject, ...] = tuple(found for found in list(globals().values()) if isinstance(found, Subject))
