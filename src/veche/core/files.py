"""Files: an account uploads them, and a message has them. A file belongs to one message.

The bytes are in a store (`storage.blobs`), under the id of the file. There is a row for each file before its bytes are
written, and as long as they may be there. So whatever is killed, a row is left, and the bytes are found and removed.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec
from msgspec.structs import replace

from veche.core.actor import Actor
from veche.core.client_ids import Request
from veche.core.command import Command
from veche.core.errors import ChatError, Code
from veche.core.event import Event
from veche.core.facts import Fact, Needs, Rows
from veche.core.messages import NOTHING, References, Sent, request_of
from veche.core.state import HEADS, State
from veche.core.threads import SendReply
from veche.core.values import RESERVED_IDS, FileInfo, Room, account_log

MAX_FILES: Final = 10
"""Files of one message."""
LEAST_CHARGE: Final = 4096
"""Bytes that the smallest file takes of the quota, as on most disks. So the quota bounds how many files there are."""

_ID = re.compile(r"[0-9a-f]{32}")


class FileState(StrEnum):
    """What became of a file."""

    UPLOADING = "uploading"  # its bytes may be incomplete
    UNUSED = "unused"  # no message has it yet
    USED = "used"
    GONE = "gone"  # nobody can get it any more, and its bytes have to be removed


class StoredFile(msgspec.Struct, frozen=True, gc=False):
    """One file. While it is uploaded, `info.size` is how many bytes it may have. Times are in microseconds since 1970.

    `room_id` and `message_id` are of the message that has it.
    """

    info: FileInfo
    owner_id: int
    state: FileState
    created_at: int
    room_id: int | None = None
    message_id: int | None = None

    @property
    def charge(self) -> int:
        """How many bytes it takes of the quota of its owner."""
        return max(self.info.size, LEAST_CHARGE)


OwnFile = tuple[int, str]
"""The owner and the id of a file. Whoever changes a file that no message has locks the log of its owner."""

FILES: Fact[str, StoredFile] = Fact("files")
USAGES: Fact[int, int] = Fact("usages")  # by account: how many bytes its files take


class FileChanged(Event, frozen=True, gc=False):
    """A file is new, or has changed. `usage` is how many bytes the files of its owner take now."""

    file: StoredFile
    usage: int

    def apply(self, rows: Rows) -> None:
        rows.put(FILES, self.file.info.id, self.file)
        rows.put(USAGES, self.file.owner_id, self.usage)


class FileForgotten(Event, frozen=True, gc=False):
    """The bytes of a file were removed. `usage` is how many the files of its owner take now."""

    id: str
    owner_id: int
    usage: int

    def apply(self, rows: Rows) -> None:
        rows.remove(FILES, self.id)
        rows.put(USAGES, self.owner_id, self.usage)


def is_file_id(id: str) -> bool:
    """Return whether a text may be the id of a file: 32 hexadecimal digits."""
    return _ID.fullmatch(id) is not None


class BeginUpload(Command[None], frozen=True, gc=False):
    """Make a place for a file of at most `info.size` bytes."""

    info: FileInfo

    def needs(self, actor: Actor, needs: Needs) -> None:
        _ask_usage(needs, actor.account_id)

    def decide(self, actor: Actor, state: State) -> None:
        owner = actor.account_id
        if not 0 < owner < RESERVED_IDS:
            raise ChatError(Code.FORBIDDEN, "Only an account may have files.")
        file = StoredFile(self.info, owner, FileState.UPLOADING, state.now)
        usage = (state.get(USAGES, owner) or 0) + file.charge
        if usage > state.rules.file_quota:
            raise ChatError(Code.TOO_LARGE, "The files of this account would take too much.", reason="quota")
        state.record(FileChanged(file, usage))


class FinishUpload(Command[FileInfo], frozen=True, gc=False):
    """Say that the bytes of a file are stored, and what it is. It must have no more bytes than it has place for."""

    info: FileInfo

    def needs(self, actor: Actor, needs: Needs) -> None:
        _ask_files(needs, [(actor.account_id, self.info.id)])

    def decide(self, actor: Actor, state: State) -> FileInfo:
        before = state.get(FILES, self.info.id)
        if before is None or before.owner_id != actor.account_id or before.state is not FileState.UPLOADING:
            raise ChatError(Code.NOT_FOUND, "The upload has taken too long.", what="file")
        file = replace(before, info=self.info, state=FileState.UNUSED)
        state.record(FileChanged(file, (state.get(USAGES, file.owner_id) or 0) - before.charge + file.charge))
        return self.info


class DropFiles(Command[None], frozen=True, gc=False):
    """Give up those of these files that were made before a time, and that no message has."""

    files: tuple[OwnFile, ...]
    before: int

    def needs(self, actor: Actor, needs: Needs) -> None:
        _ask_files(needs, self.files)

    def decide(self, actor: Actor, state: State) -> None:
        for owner, id in self.files:
            file = state.get(FILES, id)
            if file is None or file.owner_id != owner or file.created_at >= self.before:
                continue
            if file.state in (FileState.UPLOADING, FileState.UNUSED):
                state.record(FileChanged(replace(file, state=FileState.GONE), state.get(USAGES, owner) or 0))


class ForgetFiles(Command[None], frozen=True, gc=False):
    """Forget files that were gone. Their bytes must have been removed."""

    files: tuple[OwnFile, ...]

    def needs(self, actor: Actor, needs: Needs) -> None:
        _ask_files(needs, self.files)

    def decide(self, actor: Actor, state: State) -> None:
        for owner, id in self.files:
            file = state.get(FILES, id)
            if file is not None and file.owner_id == owner and file.state is FileState.GONE:
                state.record(FileForgotten(id, owner, (state.get(USAGES, owner) or 0) - file.charge))


class SendFiles(SendReply, frozen=True, gc=False):
    """Send a message that has files which its sender has uploaded. It may also be a reply."""

    file_ids: tuple[str, ...] = ()

    def check(self) -> None:
        super().check()
        if len(self.file_ids) > MAX_FILES:
            raise ChatError(Code.INVALID, f"A message has at most {MAX_FILES} files.", field="files")
        if len(set(self.file_ids)) != len(self.file_ids) or not all(map(is_file_id, self.file_ids)):
            raise ChatError(Code.INVALID, "Give the ids of different files.", field="files")

    def needs(self, actor: Actor, needs: Needs) -> None:
        super().needs(actor, needs)
        _ask_files(needs, [(actor.account_id, id) for id in self.file_ids])

    def decide(self, actor: Actor, state: State) -> Sent:
        sent = super().decide(actor, state)
        if not sent.duplicate and self.file_ids:
            usage = state.get(USAGES, actor.account_id) or 0
            for id in self.file_ids:
                file = self._unused(state, actor, id)
                used = replace(file, state=FileState.USED, room_id=self.room_id, message_id=sent.message.id)
                state.record(FileChanged(used, usage))
        return sent

    def references_in(self, room: Room, actor: Actor, state: State) -> References | None:
        references = super().references_in(room, actor, state)
        if not self.file_ids:
            return references
        infos = tuple(self._unused(state, actor, id).info for id in self.file_ids)
        return replace(references or NOTHING, files=infos)

    def _unused(self, state: State, actor: Actor, id: str) -> StoredFile:
        """Return a file of the sender that no message has. Raises ChatError."""
        file = state.get(FILES, id)
        if file is None or file.owner_id != actor.account_id or file.state in (FileState.UPLOADING, FileState.GONE):
            raise ChatError(Code.NOT_FOUND, "No such file.", what="file", field="files")
        if file.state is FileState.USED:
            raise ChatError(Code.INVALID, "A message has this file already.", field="files")
        return file

    @property
    def request(self) -> Request:
        return request_of(self.room_id, self.text, self.reply_to_id, self.thread_id, self.file_ids)


def _ask_files(needs: Needs, files: Sequence[OwnFile]) -> None:
    for owner in dict.fromkeys(owner for owner, _ in files):
        _ask_usage(needs, owner)
    for _, id in files:
        needs.ask(FILES, id)


def _ask_usage(needs: Needs, owner: int) -> None:
    needs.ask(HEADS, account_log(owner))  # the lock of the usage, and of the files that no message has
    needs.ask(USAGES, owner)
