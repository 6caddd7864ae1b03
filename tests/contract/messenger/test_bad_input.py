"""Bad input to the REST calls gets a refusal of this dialect: no 5xx, no password in the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from .harness import LiveServer, Person, expect_silence

SECRET = "hunter2-and-a-half"
FITS = {
    "/register": f'{{"email":"bad@example.com","password":"{SECRET}","name":"x"}}',
    "/login": f'{{"email":"bad@example.com","password":"{SECRET}"}}',
    "/chats": '{"name":"x","chat_type":"group","member_ids":[]}',
    "/chats/{}/messages": '{"text":"x"}',
}
UNREADABLE: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda fits: fits[:-1],
    "a comma too many": lambda fits: fits[:-1] + b",}",
    "cut in a string": lambda fits: fits[: fits.rindex(b'"')],
    "not UTF-8": lambda fits: fits[:-1] + b',"x":"\xff\xfe"}',
    "deep": lambda fits: fits[:-1] + b',"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "deep and open": lambda fits: b"[" * 60_000,
    "digits": lambda fits: fits[:-1] + b',"x":' + b"9" * 5_000 + b"}",
    "a control character": lambda fits: fits[:-1] + b',"x":"\x01"}',
}
MISFITS = [b"null", b"[]", b'"x"', b"1", b"NaN", b"Infinity", b"-1e999", b"true", b"{}", b"[[[]]]", b""]
VALUES = [
    "NaN",
    "-Infinity",
    "1e400",
    str(2**63),
    str(2**64),
    "-1",
    "1.5",
    "true",
    "null",
    "{}",
    '{"a":[]}',
    "[NaN]",
    "[null]",
    "[[]]",
    "[1.5]",
    '["x"]',
    '"nul \\u0000"',
    '"lone \\ud800"',
    '"lone \\udfff@example.com"',
    '["\\ud800"]',
]
FIELDS = [
    ("/register", "email"),
    ("/register", "password"),
    ("/register", "name"),
    ("/login", "email"),
    ("/login", "password"),
    ("/chats", "name"),
    ("/chats", "chat_type"),
    ("/chats", "member_ids"),
    ("/chats/{}/messages", "text"),
    ("/chats/{}/messages", "client_message_id"),
]


class Dialect:
    """Posts raw bytes, and checks every answer by the rules of this file."""

    def __init__(self, ann: Person, chat_id: int) -> None:
        self.ann, self.chat_id = ann, chat_id

    def post(self, path: str, body: bytes | Iterator[bytes], statuses: tuple[int, ...]) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        answer = self.ann.http.post(path.format(self.chat_id), content=body, headers=headers)
        assert answer.status_code in statuses, answer.text[:300]
        assert list(answer.json()) == ["detail"]
        assert SECRET not in answer.text
        return answer


@pytest.fixture
def dialect(ann: Person, bob: Person, chat_id: int) -> Iterator[Dialect]:
    """The checked calls. Bob has a socket in the chat and must receive nothing from the test."""
    with expect_silence(bob.listen(chat_id), by=bob, chat_id=chat_id):
        yield Dialect(ann, chat_id)


@pytest.mark.parametrize("path", FITS)
def test_bodies_that_are_not_json(dialect: Dialect, path: str) -> None:
    for make in UNREADABLE.values():
        dialect.post(path, make(FITS[path].encode()), (400, 422))


@pytest.mark.parametrize("how", ["not UTF-8", "deep and open", "digits"])
def test_the_answer_to_a_body_that_cannot_be_decoded(dialect: Dialect, how: str) -> None:
    answer = dialect.post("/chats", UNREADABLE[how](FITS["/chats"].encode()), (400,))
    assert answer.text == '{"detail":"There was an error parsing the body"}'


@pytest.mark.parametrize("path", FITS)
def test_invalid_objects(dialect: Dialect, path: str) -> None:
    for body in MISFITS:
        dialect.post(path, body, (422,))


@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_invalid_values(dialect: Dialect, path: str, field: str) -> None:
    for value in VALUES:
        fits = FITS[path].encode()
        if (field, value) in (("client_message_id", "null"),):
            continue
        dialect.post(path, fits[:-1] + f',"{field}":{value}}}'.encode(), (400, 422))


@pytest.mark.parametrize("path", FITS)
def test_a_body_too_large(dialect: Dialect, path: str) -> None:
    large = FITS[path].encode()[:-1] + b',"x":"' + b"x" * 65_536 + b'"}'
    dialect.post(path, large, (413,))
    dialect.post(path, iter((large[:1000], large[1000:])), (413,))
    dialect.post(path, b"[" * 100_000, (413,))


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "rubbish"])
def test_another_content_type(dialect: Dialect, kind: str) -> None:
    for path, fits in FITS.items():
        answer = dialect.ann.http.post(path.format(dialect.chat_id), content=fits, headers={"Content-Type": kind})
        assert answer.status_code == 422
        assert SECRET not in answer.text


def test_invalid_authorization_headers(http: httpx.Client) -> None:
    for value in (b"Bearer \xff\xfe", b"Bearer " + b"x" * 20_000, b"Bearer a.b.c d", b"\xe2\x98\x83"):
        assert http.get("/chats", headers={b"Authorization": value}).status_code in (400, 401)


def test_the_log_has_no_password(server: LiveServer, dialect: Dialect) -> None:
    dialect.post("/login", FITS["/login"].encode(), (400,))
    assert SECRET not in server.log
