"""Files over REST: uploading, sending, and who may get them and how."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from .people import LOBBY, Person, receive, send_command

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63fccfc0500f000485018084a9"
    "8c210000000049454e44ae426082"
)


def upload(person: Person, content: bytes = b"hello", name: str = "notes.txt") -> dict[str, Any]:
    answer = person.http.post("/v1/files", params={"name": name}, content=content)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def sent(person: Person, room: int, content: bytes = b"hello", name: str = "notes.txt") -> dict[str, Any]:
    """Send a message with a new file. Return the file."""
    file = upload(person, content, name)
    message = person.call("POST", f"/rooms/{room}/messages", {"text": "see", "files": [file["id"]]})
    assert message["files"] == [file]
    return file


def get(person: Person, file: dict[str, Any], **headers: str) -> httpx.Response:
    return person.http.get(f"/v1/files/{file['id']}", headers=headers)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_what_was_uploaded_comes_back(ann: Person) -> None:
    content = bytes(range(256)) * 3000  # several parts
    file = upload(ann, content, "data.bin")
    assert (file["name"], file["size"], file["type"]) == ("data.bin", len(content), "application/octet-stream")
    answer = get(ann, file)
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-length"] == str(len(content))


def test_a_body_without_a_length_is_taken(ann: Person) -> None:
    file = upload(ann, iter([b"one ", b"two"]), "stream")  # type: ignore[arg-type]
    assert (file["size"], get(ann, file).text) == (7, "one two")


def test_an_empty_file(ann: Person) -> None:
    file = upload(ann, b"")
    answer = get(ann, file, Range="bytes=0-")
    assert (file["size"], answer.status_code, answer.headers["content-range"]) == (0, 416, "bytes */0")
    assert get(ann, file).content == b""


def test_nobody_else_gets_what_no_message_has(ann: Person, bob: Person) -> None:
    file = upload(ann)
    assert get(ann, file).status_code == 200
    assert code_of(get(bob, file)) == (404, "not_found")


def test_members_get_a_file_until_they_leave(ann: Person, bob: Person) -> None:
    room = ann.make_room()
    file = sent(ann, room)
    assert code_of(get(bob, file)) == (404, "not_found")
    ann.bring(room, bob)
    assert get(bob, file).text == "hello"
    ann.call("DELETE", f"/rooms/{room}/members/{bob.id}")
    assert code_of(get(bob, file)) == (404, "not_found")


def test_a_file_goes_with_its_message(ann: Person) -> None:
    room = ann.make_room()
    file = upload(ann)
    message = ann.call("POST", f"/rooms/{room}/messages", {"text": "", "files": [file["id"]]})
    ann.call("DELETE", f"/rooms/{room}/messages/{message['id']}")
    assert code_of(get(ann, file)) == (404, "not_found")
    left = ann.call("GET", f"/rooms/{room}/messages/{message['id']}")
    assert "files" not in left


def test_the_files_of_a_message_are_shown_wherever_it_is(ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    socket, _ = bob.listen()
    file = upload(ann, PNG, "dot.png")
    ann.call("POST", f"/rooms/{room}/messages", {"text": "look", "files": [file["id"]]})
    pushed = receive_message(socket)
    [stored] = ann.call("GET", f"/rooms/{room}/messages")["items"]
    [listed] = [one for one in ann.call("GET", "/rooms")["items"] if one["id"] == room]
    assert pushed["files"] == stored["files"] == listed["last_message"]["files"] == [file]
    ann.call("PATCH", f"/rooms/{room}/messages/{stored['id']}", {"text": "look here"})
    assert ann.call("GET", f"/rooms/{room}/messages/{stored['id']}")["files"] == [file]


def test_a_message_with_a_file_over_the_socket(ann: Person) -> None:
    socket, _ = ann.listen()
    file = upload(ann)
    fields = {"room_id": LOBBY, "text": "", "client_message_id": "f-1", "files": [file["id"]]}
    first, second = (send_command(socket, id, send=fields)[-1]["send"] for id in (2, 3))
    assert (first["duplicate"], second) == (False, {**first, "duplicate": True})
    other = send_command(socket, 4, send={**fields, "files": [upload(ann)["id"]]})[-1]
    assert other["error"]["code"] == "idempotency_mismatch"
    empty = send_command(socket, 5, send={"room_id": LOBBY, "text": ""})[-1]
    assert empty["error"]["code"] == "invalid"


def test_a_file_belongs_to_one_message_of_its_owner(ann: Person, bob: Person) -> None:
    file = sent(ann, LOBBY)
    again = bob.http.post(f"/v1/rooms/{LOBBY}/messages", json={"text": "mine", "files": [file["id"]]})
    assert code_of(again) == (404, "not_found")
    again = ann.http.post(f"/v1/rooms/{LOBBY}/messages", json={"text": "twice", "files": [file["id"]]})
    assert code_of(again) == (422, "invalid")
    unknown = ann.http.post(f"/v1/rooms/{LOBBY}/messages", json={"text": "x", "files": ["0" * 32, "../../etc/passwd"]})
    assert code_of(unknown) == (422, "invalid")


@pytest.mark.parametrize(
    ("content", "name", "type", "way"),
    [
        (PNG, "dot.html", "image/png", "inline"),
        (b"<svg onload=alert(1)></svg>", "x.svg", "text/plain", "attachment"),
        (b"<!doctype html><script>alert(1)</script>", "x.png", "text/plain", "attachment"),
        (b"\0\1", "x.png", "application/octet-stream", "attachment"),
    ],
)
def test_what_a_browser_may_show(ann: Person, content: bytes, name: str, type: str, way: str) -> None:
    file = upload(ann, content, name)
    answer = get(ann, file)
    assert file["type"] == type
    assert answer.headers["content-type"].partition(";")[0] == type
    assert answer.headers["content-disposition"].partition(";")[0] == way
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_image_has_a_size_and_a_small_picture(ann: Person, bob: Person) -> None:
    file = upload(ann, PNG, "dot.png")
    assert (file["width"], file["height"]) == (1, 1)
    answer = ann.http.get(f"/v1/files/{file['id']}/thumbnail")
    assert (answer.status_code, answer.headers["content-type"], answer.content[8:12]) == (200, "image/webp", b"WEBP")
    tag = {"If-None-Match": answer.headers["etag"]}
    assert ann.http.get(f"/v1/files/{file['id']}/thumbnail", headers=tag).status_code == 304
    assert code_of(bob.http.get(f"/v1/files/{file['id']}/thumbnail")) == (404, "not_found")


def test_a_name_is_only_a_name(ann: Person) -> None:
    file = upload(ann, b"x", 'a/../\u202e"\r\nX: y\u0444.html')
    assert file["name"] == "X yф.html".replace("X", "X", 1)
    headers = get(ann, file).headers
    assert "x" not in headers
    assert headers["content-disposition"].endswith("filename*=UTF-8''X%20y%D1%84.html")


@pytest.mark.parametrize(
    ("asked", "status", "body", "shown"),
    [
        ("bytes=0-1", 206, b"he", "bytes 0-1/5"),
        ("bytes=3-", 206, b"lo", "bytes 3-4/5"),
        ("bytes=-2", 206, b"lo", "bytes 3-4/5"),
        ("bytes=2-99", 206, b"llo", "bytes 2-4/5"),
        ("bytes=5-", 416, b"", "bytes */5"),
        ("bytes=0-1,3-4", 200, b"hello", None),
        ("lines=1-2", 200, b"hello", None),
    ],
)
def test_ranges(ann: Person, asked: str, status: int, body: bytes, shown: str | None) -> None:
    answer = get(ann, upload(ann), Range=asked)
    assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (status, body, shown)


def test_what_a_client_has_is_not_sent_again(ann: Person) -> None:
    file = upload(ann)
    tag = get(ann, file).headers["etag"]
    same = get(ann, file, **{"If-None-Match": tag})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert get(ann, file, Range="bytes=0-1", **{"If-Range": tag}).status_code == 206
    assert get(ann, file, Range="bytes=0-1", **{"If-Range": '"other"'}).status_code == 200


def test_head_is_get_without_the_body(ann: Person) -> None:
    file = upload(ann)
    got = get(ann, file)
    head = ann.http.head(f"/v1/files/{file['id']}")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "content-disposition", "accept-ranges"):
        assert head.headers[name] == got.headers[name]


def test_a_ticket_is_for_one_file_and_ends_with_the_session(ann: Person, bob: Person) -> None:
    room = ann.make_room(bob)
    file, other = sent(ann, room), sent(ann, room)
    ticket = bob.call("POST", f"/files/{file['id']}/ticket")
    assert ticket["expires_in"] == 60
    with httpx.Client(base_url=ann.base, trust_env=False) as nobody:
        assert nobody.get(ticket["url"]).text == "hello"
        assert code_of(nobody.get(f"/v1/files/{file['id']}")) == (401, "unauthenticated")
        elsewhere = ticket["url"].replace(file["id"], other["id"])
        assert code_of(nobody.get(elsewhere)) == (401, "unauthenticated")
        ann.call("DELETE", f"/rooms/{room}/members/{bob.id}")
        assert code_of(nobody.get(ticket["url"])) == (404, "not_found")
        ann.bring(room, bob)
        assert nobody.get(ticket["url"]).text == "hello"
        bob.call("POST", "/logout")
        assert code_of(nobody.get(ticket["url"])) == (401, "unauthenticated")


def test_what_nobody_can_upload(ann: Person) -> None:
    assert code_of(ann.http.post("/v1/files", content=b"x")) == (422, "invalid")
    with httpx.Client(base_url=ann.base, trust_env=False) as nobody:
        assert nobody.post("/v1/files", params={"name": "x"}, content=b"x").status_code == 401


def test_older_clients_get_a_line_with_a_link(ann: Person) -> None:
    room = ann.make_room()
    file = sent(ann, room, name="plan.txt")
    page = ann.http.get(f"/chats/{room}/messages").json()
    assert [one["text"] for one in page] == [f"see\nplan.txt: /#file={file['id']}"]


def receive_message(socket: Any) -> dict[str, Any]:
    frame: dict[str, Any] = receive(socket)
    while "message" not in frame:
        frame = receive(socket)
    found: dict[str, Any] = frame["message"]
    return found
