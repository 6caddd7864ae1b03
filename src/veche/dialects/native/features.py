"""Every feature of the native dialect, one line each, and the types of all frames and bodies."""

from veche.dialects.native import answers, events, out
from veche.dialects.native.bans import FEATURE as bans
from veche.dialects.native.blocks import FEATURE as blocks
from veche.dialects.native.closing import FEATURE as closing
from veche.dialects.native.deletion import FEATURE as deletion
from veche.dialects.native.editing import FEATURE as editing
from veche.dialects.native.feature import Feature, made_by
from veche.dialects.native.files import FEATURE as files
from veche.dialects.native.invitations import FEATURE as invitations
from veche.dialects.native.links import FEATURE as links
from veche.dialects.native.notifications import FEATURE as notifications
from veche.dialects.native.people import FEATURE as people
from veche.dialects.native.pins import FEATURE as pins
from veche.dialects.native.reactions import FEATURE as reactions
from veche.dialects.native.refreshing import FEATURE as refreshing
from veche.dialects.native.roles import FEATURE as roles
from veche.dialects.native.room_settings import FEATURE as room_settings
from veche.dialects.native.search import FEATURE as search
from veche.dialects.native.seen import FEATURE as seen
from veche.dialects.native.sessions import FEATURE as sessions
from veche.dialects.native.threads import FEATURE as threads
from veche.dialects.native.typing import FEATURE as typing

# The features are taken from the imports above. In a second list, one could be forgotten.
FEATURES: tuple[Feature, ...] = tuple(found for found in list(globals().values()) if isinstance(found, Feature))

COMMANDS = {name: command for feature in FEATURES for name, command in feature.commands.items()}
INSTANT = {name: command for feature in FEATURES for name, command in feature.instant.items()}
ENCODERS = {event: encode for feature in FEATURES for event, encode in feature.events.items()}
EPHEMERAL = {kind: encode for feature in FEATURES for kind, encode in feature.ephemeral.items()}
EVENTS = (*events.EVENTS, *map(made_by, ENCODERS.values()))
PUSHES = (*answers.PUSHES, *map(made_by, EPHEMERAL.values()))
ANSWERS = (
    *answers.ANSWERS,
    *(made_by(command.answer) for command in COMMANDS.values()),
    *(made_by(command.act) for command in INSTANT.values()),
)
BODIES = (*out.BODIES, *(body for feature in FEATURES for body in feature.bodies))
