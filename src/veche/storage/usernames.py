"""Finds the accounts of older versions whose usernames could not be registered today. They work as before."""

from collections.abc import Iterator, Sequence

from veche.core.accounts import skeleton_key
from veche.core.errors import ChatError
from veche.core.names import RESERVED_WORDS, check_username, normal_form
from veche.storage.finding import Finding

SHOWN = 20  # of the usernames that could not be registered today


def not_allowed_today(usernames: Sequence[tuple[int, str]]) -> Finding:
    """Check usernames. They are given with the ids of the accounts, ordered by id."""
    old = [f"{id} {username!a} ({why})" for id, username, why in _not_allowed(usernames)]
    more = f" and {len(old) - SHOWN} more" if len(old) > SHOWN else ""
    return Finding(
        not old,
        "usernames",
        f"{len(old)} could not be registered today; these accounts work as before: {', '.join(old[:SHOWN])}{more}"
        if old
        else "all keep the rule",
    )


def _not_allowed(usernames: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str, str]]:
    first: dict[tuple[str, bool], int] = {}  # the ids of those that look alike
    for id, username in usernames:
        first.setdefault(skeleton_key(username), id)
    for id, username in usernames:
        skeleton, ascii = skeleton_key(username)
        alike = [first.get((skeleton, other)) for other in ((False,) if ascii else (False, True))]
        others = [str(one) for one in alike if one is not None and one < id]
        try:
            check_username(username)
        except ChatError as refusal:
            yield id, username, refusal.message.removesuffix(".")
        else:
            if username != normal_form(username):
                yield id, username, "it is not in its normal form"
            elif username in RESERVED_WORDS:
                yield id, username, "it is reserved"
            elif others:
                yield id, username, f"it looks like that of account {' and '.join(others)}"
