"""A membership that is being checked while the account may be removed from the room."""


class CheckedMembership:
    """Compares removals with the membership check, whichever comes first.

    If the check read the room at the entry of a removal or later, the account has joined again, and the removal is out
    of date. A removal that arrives before the check is answered is kept until then. `head_seq` is the room's head at
    the check, or None before it. UNKNOWN_SEQ is above every seq.
    """

    __slots__ = ("_left_seq", "head_seq")

    def __init__(self) -> None:
        self.head_seq: int | None = None
        self._left_seq = 0  # the highest seq of a removal that arrived before the check was answered

    def confirm(self, head_seq: int) -> bool:
        """Take the answer of the check. Return whether the account has been removed since."""
        self.head_seq = head_seq
        return self._left_seq > head_seq

    def is_ended_by(self, seq: int) -> bool:
        """Take a removal by entry `seq` of the room's log. Return whether it ends the membership now."""
        if self.head_seq is None:
            self._left_seq = max(self._left_seq, seq)
            return False
        return seq > self.head_seq
