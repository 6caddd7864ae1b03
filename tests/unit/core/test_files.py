"""Files: what an account may have, who may send them, and when they go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from veche.core.actor import Actor
from veche.core.command import Command
from veche.core.errors import Code
from veche.core.facts import Needs
from veche.core.file_types import HEAD, MAX_FILE_NAME, clean_name, type_of
from veche.core.files import FILES, LEAST_CHARGE, MAX_FILES, USAGES, FileState
from veche.core.messages import MESSAGES, References
from veche.core.rules import Rules
from veche.core.state import HEADS
from veche.core.threads import ThreadFollowed
from veche.core.values import LOBBY_ID, FileInfo, Kind, account_log

from . import commands as c
from .conftest import People
from .world import Town

SIZE = 10_000


def info(number: int, size: int = SIZE) -> FileInfo:
    return FileInfo(f"{number:032x}", "a.txt", size, "text/plain")


@pytest.fixture
def town() -> Town:
    town = Town()
    town.rules = Rules(file_quota=5 * SIZE)
    return town


def upload(town: Town, by: int, number: int, size: int = SIZE) -> FileInfo:
    town.do(c.by(by, c.BeginUpload(info(number, SIZE))))
    stored: FileInfo = town.do(c.by(by, c.FinishUpload(info(number, size))))
    return stored


def send(by: int, *files: str, room: int = LOBBY_ID, text: str = "", client_id: str | None = None) -> c.Request:
    return c.by(by, c.SendFiles(room, text, client_id, file_ids=files))


def test_a_message_has_the_files_that_its_sender_uploaded(town: Town, people: People) -> None:
    one, two = upload(town, people.ann, 1), upload(town, people.ann, 2)
    message = town.do(send(people.ann, two.id, one.id)).message
    assert message.references == References(files=(two, one))
    assert town.rows(FILES)[one.id].message_id == message.id
    assert town.rows(FILES)[one.id].state is FileState.USED


@pytest.mark.usefixtures("town")  # which marks the tests that notice a need that is left out
@pytest.mark.parametrize(
    "command",
    [
        c.BeginUpload(info(1)),
        c.FinishUpload(info(1)),
        c.DropFiles(((1, info(1).id),), 0),
        c.ForgetFiles(((1, "a"),)),
        c.SendFiles(LOBBY_ID, "", file_ids=(info(1).id,)),
        c.SendFiles(LOBBY_ID, "in a thread", thread_id=1),
    ],
)
def test_the_log_of_the_owner_is_the_lock_of_what_its_files_take(command: Command[object]) -> None:
    needs = Needs()
    command.needs(Actor(1, "native"), needs)
    assert (HEADS, account_log(1)) in set(needs.pairs())


def test_a_retry_is_harmless_and_other_files_are_another_message(town: Town, people: People) -> None:
    one, two = upload(town, people.ann, 1), upload(town, people.ann, 2)
    first = town.do(send(people.ann, one.id, client_id="x"))
    again = town.do(send(people.ann, one.id, client_id="x"))
    assert (again.duplicate, again.message, town.news) == (True, first.message, [])
    assert town.refuses(send(people.ann, two.id, client_id="x")).code is Code.IDEMPOTENCY_MISMATCH
    town.do(c.by(people.ann, c.DeleteMessage(LOBBY_ID, first.message.id)))
    assert town.do(send(people.ann, one.id, client_id="x")).duplicate
    assert town.refuses(send(people.ann, two.id, client_id="x")).code is Code.IDEMPOTENCY_MISMATCH


def test_a_file_belongs_to_one_message_of_its_owner(town: Town, people: People) -> None:
    file = upload(town, people.ann, 1)
    assert town.refuses(send(people.bob, file.id)).code is Code.NOT_FOUND
    town.do(send(people.ann, file.id))
    assert town.refuses(send(people.ann, file.id)).code is Code.INVALID


def test_a_file_that_is_not_complete_cannot_be_sent(town: Town, people: People) -> None:
    town.do(c.by(people.ann, c.BeginUpload(info(1))))
    assert town.refuses(send(people.ann, info(1).id)).code is Code.NOT_FOUND
    assert town.refuses(send(people.ann, info(2).id)).code is Code.NOT_FOUND
    assert town.refuses(c.by(people.bob, c.FinishUpload(info(1)))).code is Code.NOT_FOUND


def test_whoever_may_not_speak_may_not_send_files(town: Town, people: People) -> None:
    room, file = town.room(people.ann, Kind.GROUP), upload(town, people.bob, 1)
    assert town.refuses(send(people.bob, file.id, room=room)).code is Code.NOT_FOUND
    assert town.rows(FILES)[file.id].state is FileState.UNUSED


@pytest.mark.parametrize("ids", [["x"], ["0" * 32, "0" * 32], [f"{n:032x}" for n in range(MAX_FILES + 1)], ["A" * 32]])
def test_ids_that_nobody_may_send(town: Town, people: People, ids: list[str]) -> None:
    assert town.refuses(send(people.ann, *ids)).code is Code.INVALID


def test_a_reply_has_files_too(town: Town, people: People) -> None:
    first, file = town.say(people.ann, LOBBY_ID).message, upload(town, people.ann, 1)
    reply = c.SendFiles(LOBBY_ID, "@bob", None, reply_to_id=first.id, thread_id=first.id, file_ids=(file.id,))
    refers = town.do(c.by(people.ann, reply)).message.references
    assert (refers.to_id, refers.thread_id, refers.mentions.ids, refers.files) == (
        first.id,
        first.id,
        (people.bob,),
        (file,),
    )


def test_a_reply_with_a_file_is_a_reply_like_any_other(town: Town, people: People) -> None:
    """Whoever began the thread follows it, and whom the text mentions is mentioned."""
    room = town.room(people.ann, Kind.GROUP, people.bob, people.eve)
    first, second = (town.say(people.ann, room).message for _ in range(2))
    reply = c.SendFiles(room, "@eve", None, reply_to_id=second.id, thread_id=first.id)
    refers = town.do(c.by(people.bob, reply)).message.references
    assert (refers.to_id, refers.thread_id, refers.mentions.ids) == (second.id, first.id, (people.eve,))
    assert [event.log_id for event in town.news if isinstance(event, ThreadFollowed)] == [-people.bob, -people.ann]


def test_an_edit_keeps_the_files_and_a_deletion_takes_them(town: Town, people: People) -> None:
    file = upload(town, people.ann, 1)
    message = town.do(send(people.ann, file.id, text="hi")).message
    town.do(c.by(people.ann, c.EditMessage(LOBBY_ID, message.id, "hi @bob")))
    assert town.rows(MESSAGES)[message.id].references.files == (file,)
    town.do(c.by(people.ann, c.DeleteMessage(LOBBY_ID, message.id)))
    assert town.rows(MESSAGES)[message.id].references is None


def test_the_quota_counts_what_is_uploaded_and_the_smallest_file_too(town: Town, people: People) -> None:
    upload(town, people.ann, 1, size=0)
    assert town.rows(USAGES)[people.ann] == LEAST_CHARGE
    for number in range(2, 6):
        upload(town, people.ann, number)
    refusal = town.refuses(c.by(people.ann, c.BeginUpload(info(9))))
    assert (refusal.code, refusal.data) == (Code.TOO_LARGE, {"reason": "quota"})
    upload(town, people.bob, 10)
    assert town.rows(USAGES) == {people.ann: LEAST_CHARGE + 4 * SIZE, people.bob: SIZE}


def test_only_accounts_may_have_files(town: Town) -> None:
    assert town.refuses(c.by(c.NOBODY_ID, c.BeginUpload(info(1)))).code is Code.FORBIDDEN


def test_what_nobody_uses_is_dropped_and_then_forgotten(town: Town, people: People) -> None:
    old, used = upload(town, people.ann, 1), upload(town, people.ann, 2)
    town.do(c.by(people.ann, c.BeginUpload(info(3))))
    town.do(send(people.ann, used.id))
    before = town.now + 1
    new = upload(town, people.ann, 4)
    files = tuple((people.ann, one.id) for one in (old, used, info(3), new))
    for some in (files, ((people.bob, new.id),)):
        town.do(c.by(c.NOBODY_ID, c.DropFiles(some, before)))
    states = {id: file.state for id, file in town.rows(FILES).items()}
    assert states == {
        old.id: FileState.GONE,
        used.id: FileState.USED,
        info(3).id: FileState.GONE,
        new.id: FileState.UNUSED,
    }
    assert town.rows(USAGES)[people.ann] == 4 * SIZE  # the bytes are still there
    assert town.refuses(send(people.ann, old.id)).code is Code.NOT_FOUND
    assert town.refuses(c.by(people.ann, c.FinishUpload(info(3)))).code is Code.NOT_FOUND
    for _ in range(2):
        for some in (files, ((people.bob, new.id),)):
            town.do(c.by(c.NOBODY_ID, c.ForgetFiles(some)))
        assert set(town.rows(FILES)) == {used.id, new.id}
        assert town.rows(USAGES)[people.ann] == 2 * SIZE


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("notes.txt", "notes.txt"),
        ("C:\\Users\\ann\\photo.png", "photo.png"),
        ("../../etc/passwd", "passwd"),
        ("..", "file"),
        ("", "file"),
        ("a\r\nb\0.txt", "ab.txt"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("/", "file"),
        ("отчёт (2).pdf", "отчёт (2).pdf"),
        ("x" * 400 + ".tar", "x" * (MAX_FILE_NAME - 4) + ".tar"),
        ("x" * 400 + "." + "y" * 50, "x" * MAX_FILE_NAME),
    ],
)
def test_names_are_cleaned(given: str, cleaned: str) -> None:
    assert clean_name(given) == cleaned


@given(st.text(max_size=600))
def test_a_cleaned_name_is_one_name_and_stays_as_it_is(given: str) -> None:
    name = clean_name(given)
    assert 1 <= len(name) <= MAX_FILE_NAME
    assert not set(name) & set('/\\\r\n\0"<>:|?*')
    assert name.isprintable()
    assert name not in (".", "..")
    assert clean_name(name) == name


@pytest.mark.parametrize(
    ("head", "type"),
    [
        (b"\x89PNG\r\n\x1a\nrest", "image/png"),
        (b"RIFF1234WEBPVP8 ", "image/webp"),
        (b"RIFF1234WAVEfmt ", "audio/wav"),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"%PDF-1.7", "application/pdf"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "text/plain"),
        (b"<html>", "text/plain"),
        ("ф".encode() * HEAD, "text/plain"),
        (b"ok\xff", "application/octet-stream"),
        ("ф".encode()[:1], "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_type_is_what_the_bytes_are(head: bytes, type: str) -> None:
    assert type_of(head[:HEAD]) == type


def test_a_character_may_be_cut_where_looking_ends() -> None:
    assert type_of((b"a" + "ф".encode() * HEAD)[:HEAD]) == "text/plain"


def test_a_charge_is_never_less_than_that_of_the_smallest_file(town: Town, people: People) -> None:
    file = upload(town, people.ann, 1)
    stored = town.rows(FILES)[file.id]
    assert [replace(stored, info=info(1, size)).charge for size in (0, SIZE)] == [LEAST_CHARGE, SIZE]
