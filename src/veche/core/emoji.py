"""What a reaction may be: one emoji, put together as Unicode says (UTS #51, possible emoji).

The blocks that have emoji are taken whole, so that an emoji of a later version of Unicode is one here too, and every
version of Python decides alike.
"""

import re

from veche.core.errors import ChatError, Code

MAX_EMOJI = 32  # code points: the longest emoji that Unicode recommends has 10

_BASE = (
    "[\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u25ff\u2600-\u27bf\u2934\u2935"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001faff]"
)
_CHANGED = "(?:[\U0001f3fb-\U0001f3ff]|\ufe0f\u20e3?|[\U000e0020-\U000e007e]+\U000e007f)?"  # skin, form, or tags
_KEYCAP = "[#*0-9]\ufe0f?\u20e3"
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
_ONE = f"(?:{_BASE}{_CHANGED})"
_is_emoji = re.compile(f"{_ONE}(?:\u200d{_ONE})*|{_FLAG}|{_KEYCAP}").fullmatch


def check_emoji(emoji: str) -> None:
    """Raise ChatError (INVALID) if a text is not one emoji."""
    if len(emoji) > MAX_EMOJI or _is_emoji(emoji) is None:
        raise ChatError(Code.INVALID, "A reaction is one emoji.", field="emoji")
