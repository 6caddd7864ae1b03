"""Rules: what the operator has set, and decisions depend on."""

import msgspec


class Rules(msgspec.Struct, frozen=True):
    """The settings that decisions read.

    `keys`: the keys of the hashes of requests (`core.client_ids`). The first one makes new hashes. `edit_seconds` and
    `delete_seconds`: how long after it was sent a message may be edited or deleted by its author. 0 means for ever.
    `file_quota`: how many bytes the files of one account may take.
    """

    keys: tuple[bytes, ...] = (b"",)
    edit_seconds: int = 0
    delete_seconds: int = 0
    file_quota: int = 0


NO_RULES = Rules()
