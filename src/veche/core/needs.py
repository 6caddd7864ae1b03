"""Which rows must be known before commands can be decided: gathered for a whole batch, each table is read once."""

from dataclasses import dataclass, field

from veche.core.rooms import LogId, account_log


@dataclass(slots=True)
class Needs:
    """Keys to look up; `*_ids` flags ask for the next free id."""

    accounts: set[int] = field(default_factory=set)
    handles: set[str] = field(default_factory=set)  # exact, and as a prefix followed by digits
    emails: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)
    rooms: set[int] = field(default_factory=set)
    directs: set[str] = field(default_factory=set)
    unique_names: set[str] = field(default_factory=set)
    heads: set[LogId] = field(default_factory=set)
    members: set[tuple[int, int]] = field(default_factory=set)
    sent: set[tuple[int, str]] = field(default_factory=set)
    messages: set[int] = field(default_factory=set)
    counts: set[tuple[int, int]] = field(default_factory=set)  # (room, seq): how many messages up to there
    account_ids: bool = False
    room_ids: bool = False
    message_ids: bool = False
    echo_ids: bool = False

    def membership(self, room_id: int, *account_ids: int) -> None:
        """Ask for a room, and for accounts, their logs and their places in it."""
        self.rooms.add(room_id)
        self.heads.add(room_id)
        for account_id in account_ids:
            self.accounts.add(account_id)
            self.members.add((room_id, account_id))
            self.heads.add(account_log(account_id))
