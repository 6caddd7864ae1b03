"""Search over REST: what is sent is found soon, by whoever may read it, page by page."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from .people import LOBBY, Person


def say(person: Person, room: int, text: str) -> int:
    id: int = person.call("POST", f"/rooms/{room}/messages", {"text": text})["id"]
    return id


def search(person: Person, q: str, **query: Any) -> list[dict[str, Any]]:
    """Return all that is found, page by page."""
    found = []
    cursor: dict[str, str] = {}
    while True:
        page = person.call("GET", "/search", q=q, **query, **cursor)
        found += page["items"]
        if page["cursor"] is None:
            return found
        cursor = {"cursor": page["cursor"]}


def ids(found: list[dict[str, Any]]) -> list[int]:
    return [message["id"] for message in found]


def wait_until_found(person: Person, q: str, *wanted: int) -> None:
    end = time.monotonic() + 60
    while sorted(ids(search(person, q))) != sorted(wanted):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_is_found(ann: Person) -> None:
    room = ann.make_room()
    id = say(ann, room, "Миграции <b>прошли</b> 👍 100%")
    wait_until_found(ann, "миграция", id)
    (message,) = search(ann, "прошла")
    assert (message["id"], message["room_id"], message["sender"]["id"]) == (id, room, ann.id)
    snippet = message["snippet"]
    assert snippet == {"text": "Миграции <b>прошли</b> 👍 100%", "ranges": [[12, 18]], "before": False, "after": False}
    assert message["seq"] in [one["seq"] for one in ann.call("GET", f"/rooms/{room}/messages")["items"]]
    (message,) = search(ann, "100%")
    assert message["snippet"]["text"][slice(*message["snippet"]["ranges"][0])] == "100"  # after an emoji


def test_only_whoever_may_read_a_room_finds_it(ann: Person, eve: Person) -> None:
    room = ann.make_room()
    private, public = say(ann, room, "secretword"), say(ann, LOBBY, "secretword")
    wait_until_found(ann, "secretword", private, public)
    assert ids(search(eve, "secretword")) == [public]
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        search(eve, "secretword", room_id=room)
    ann.bring(room, eve)
    assert sorted(ids(search(eve, "secretword"))) == [private, public]
    eve.call("POST", f"/rooms/{room}/leave")
    assert ids(search(eve, "secretword")) == [public]


def test_changes_are_followed(ann: Person) -> None:
    room = ann.make_room()
    id = say(ann, room, "oldtext")
    wait_until_found(ann, "oldtext", id)
    ann.call("PATCH", f"/rooms/{room}/messages/{id}", {"text": "newtext"})
    assert search(ann, "oldtext") == []
    wait_until_found(ann, "newtext", id)
    ann.call("DELETE", f"/rooms/{room}/messages/{id}")
    assert search(ann, "newtext") == []


@pytest.mark.parametrize("order", ["newest", "rank"])
def test_pages(ann: Person, order: str) -> None:
    room = ann.make_room()
    sent = [say(ann, room, f"pagedword {'x ' * number}") for number in range(7)]
    while len(search(ann, "pagedword", room_id=room)) < len(sent):
        time.sleep(0.02)
    for limit in (1, 3, 100):
        found = search(ann, "pagedword", order=order, limit=limit, room_id=room)
        assert (ids(found) if order == "newest" else sorted(ids(found))[::-1]) == sent[::-1]
    at = {message["id"]: message["at"] for message in found}
    assert ids(search(ann, "pagedword", order="newest", room_id=room, after=at[sent[2]])) == sent[:1:-1]
    assert ids(search(ann, "pagedword", order="newest", room_id=room, before=at[sent[2]])) == sent[1::-1]
    assert search(ann, "pagedword", room_id=room, sender_id=ann.id + 1) == []


ODD = [
    "%",
    "'",
    '"',
    "*",
    "\\",
    "a:b",
    "a AND",
    "NOT",
    "(",
    "a)",
    "^a",
    "-a",
    "{words}:a",
    "a" * 256,
    "\U0010ffff",
    "\ufdfa",
    "NEAR(a b)",
]


@pytest.mark.parametrize("q", [f"{odd}{end}" for odd in ODD for end in ("", " word")])
def test_nothing_in_a_search_has_a_meaning_for_the_database(ann: Person, q: str) -> None:
    for order in ("newest", "rank"):
        answer = ann.http.get(f"/v1/search?q={quote(q)}&order={order}")
        assert answer.status_code in (200, 422), answer.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"q": ""}, "q"),
        ({"q": "a" * 257}, "q"),
        ({"q": "a", "after": "yesterday"}, "after"),
        ({"q": "a", "before": "2026-11-28T12:00:00"}, "before"),
        ({"q": "a", "cursor": "x"}, "cursor"),
        ({"q": "a", "cursor": "1-2"}, "cursor"),
        ({"q": "a", "cursor": f"{2**63:x}", "order": "newest"}, "cursor"),
        ({"q": "a", "cursor": "-1", "order": "newest"}, "cursor"),
        ({"q": "a", "order": "oldest"}, "order"),
        ({"q": "a", "room_id": 0}, "room_id"),
    ],
)
def test_what_does_not_fit_is_refused(ann: Person, query: dict[str, Any], field: str) -> None:
    answer = ann.http.get("/v1/search", params=query)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_any_place_may_be_asked_for(ann: Person) -> None:
    for bits in ("7ff8000000000000", "fff0000000000000", "0000000000000001"):  # no number, and infinite
        for below in (0, 1, 2**63 - 1):
            assert ann.http.get(f"/v1/search?q=a&cursor={below:x}-1-{bits}").status_code == 200
            assert ann.http.get(f"/v1/search?q=a&order=newest&cursor={below:x}").status_code == 200
