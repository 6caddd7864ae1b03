"""What a bus does. It connects the nodes of a server: the processes that share one database.

A bus only saves time. It may lose, repeat, delay and reorder everything. Nodes compare their positions with the
database, so no entry is lost when the bus is away.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from veche.core.event import LogEvent
from veche.core.values import LogId

Heads: TypeAlias = Mapping[LogId, int]
"""The head seqs of logs."""
Listener: TypeAlias = Callable[[Sequence[LogEvent]], None]
OnBell: TypeAlias = Callable[[Heads], None]
OnNote: TypeAlias = Callable[[str, Any], None]
"""It is called with the id of the node that told the note, and the payload."""
OnConnected: TypeAlias = Callable[[], None]

MAX_NOTE = 2048  # bytes of a note's payload as JSON
MAX_NOTES_WAITING = 1000  # notes that wait to be sent; further ones are dropped


class NoteTooLargeError(ValueError):
    """The payload of a note is longer than MAX_NOTE. This is a bug of the caller."""


class Bus(Protocol):
    """Announces entries here and on other nodes, and carries notes. All methods are called on the event loop.

    No method waits for the network, except `start` and `stop`.
    """

    @property
    def node_id(self) -> str:
        """The id of this node: 16 hexadecimal digits, random in each process."""

    @property
    def connected(self) -> bool:
        """Whether this node hears the others now, as far as it knows."""

    @property
    def was_connected(self) -> bool:
        """Whether this node hears the others now, or has heard them since it started."""

    async def start(self) -> None:
        """Connect. If that is not possible now, it is tried again later."""

    async def stop(self) -> None:
        """Send what waits, for a moment at most, and disconnect."""

    def begin_history(self, history: str) -> None:
        """Hear and tell from now on only nodes whose database has this history. What waits to be sent is dropped.

        Entries of another history may have the same seqs, so a node must not take them for its own.
        """

    # Entries.

    def publish(self, events: Sequence[LogEvent]) -> None:
        """Announce entries after their commit. Listeners here get them at once; the other nodes hear of them soon."""

    def subscribe(self, listener: Listener) -> None:
        """Call a function with the entries that are announced here, in commit order.

        Entries that another node sent come as well, in any order, perhaps twice.
        """

    def on_bell(self, handler: OnBell) -> None:
        """Call a function with heads of followed logs: other nodes have committed entries up to them."""

    def follow(self, log_id: LogId) -> None:
        """Hear from now on what other nodes commit to a log."""

    def unfollow(self, log_id: LogId) -> None:
        """Stop hearing of a log."""

    def on_followed(self, handler: Callable[[Sequence[LogId]], None]) -> None:
        """Call a function with logs that this node hears from now on.

        What was committed to them shortly before may not have been heard. So their heads have to be compared.
        """

    # Notes. They reach every node that is connected now, once or not at all.

    def tell(self, kind: str, payload: Any) -> None:
        """Send a note to all other nodes. The payload becomes JSON. Raises NoteTooLargeError."""

    def on_note(self, kind: str, handler: OnNote) -> None:
        """Call a function with the notes of a kind that other nodes tell. There is one function for each kind."""

    def on_connected(self, callback: OnConnected) -> None:
        """Call a function each time that this node has connected, so that it can tell its notes again."""


class BusError(Exception):
    """The bus cannot be used. The message says why, and what to set. It never shows a password."""
