"""The page as a document: its content security policy, its accessible names, its layout."""

from __future__ import annotations

import urllib.request
from importlib.resources import files

import pytest
from playwright.sync_api import Page, Route, ViewportSize, expect

from .conftest import NewPerson
from .harness import LOBBY, TIMEOUT_MS, Server

pytestmark = pytest.mark.e2e

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
MODULES = sorted(file.name for file in (files("veche.web") / "page").iterdir())
SCRIPTS = ("/page.js", "/loading.js", *(f"/page/{name}" for name in MODULES))
TYPES = {"/": "text/html", "/page.css": "text/css", **dict.fromkeys(SCRIPTS, "text/javascript")}
PHONE: ViewportSize = {"width": 360, "height": 640}
LONG = "https://example.org/" + "a" * 300


@pytest.mark.parametrize("part", ["/page.js", "/page/state.js"])
def test_a_part_that_is_missing_is_loaded_again(new_person: NewPerson, server: Server, part: str) -> None:
    """A proxy that is restarted, or a server that refuses for a moment, must not leave an empty page."""
    ann, asked = new_person("ann", new=False), 0

    def fail_twice(route: Route) -> None:
        nonlocal asked
        asked += 1
        if asked > 2:
            route.continue_()
        else:
            route.abort() if asked == 1 else route.fulfill(status=503)

    ann.page.route(f"**{part}", fail_twice)
    ann.page.goto(server.url)
    expect(ann.page.get_by_text("It is tried again.")).to_be_visible()
    expect(ann.page.get_by_role("button", name="Sign up")).to_be_visible(timeout=TIMEOUT_MS)
    assert asked > 2
    ann.sign_up()


def test_the_policy_is_strict_and_the_files_have_content_types(server: Server) -> None:
    for path, kind in TYPES.items():
        with urllib.request.urlopen(server.url + path) as answer:
            assert answer.headers["Content-Type"].startswith(kind)
            assert policy(answer.headers["Content-Security-Policy"]) == POLICY
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


def policy(header: str) -> dict[str, str]:
    directives = (part.strip().partition(" ") for part in header.split(";"))
    return {name: sources for name, _, sources in directives if name}


def test_a_conversation_causes_no_console_errors(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    ann.make_room("Square")
    ann.say("hello")
    bob.enter("Square")
    bob.say("hello yourself")
    ann.expect_texts("hello", "hello yourself")
    assert ann.console_errors == []
    assert bob.console_errors == []


def test_names_and_roles(new_person: NewPerson) -> None:
    ann = new_person("ann", new=False)
    ann.page.goto(ann.url)
    for name in ("Username", "Password"):
        expect(ann.page.get_by_role("textbox", name=name, exact=True)).to_be_visible()
    for name in ("Sign up", "Sign in"):
        expect(ann.page.get_by_role("button", name=name, exact=True)).to_be_visible()
    ann.sign_up()
    expect(ann.page.get_by_role("textbox", name="Message", exact=True)).to_be_visible()
    for name in ("Send", "New room"):
        expect(ann.page.get_by_role("button", name=name, exact=True)).to_be_visible()
    expect(ann.page.get_by_role("list", name="Rooms", exact=True)).to_be_visible()
    expect(ann.page.get_by_role("log", name="Messages", exact=True)).to_be_visible()
    expect(ann.page.get_by_role("status")).to_have_count(1)


def test_the_page_fits_a_phone(new_person: NewPerson) -> None:
    ann, bob = new_person("ann", new=False, viewport=PHONE), new_person("bob")
    ann.page.goto(ann.url)
    assert_fits(ann.page)
    ann.sign_up()
    assert_fits(ann.page)
    ann.page.get_by_role("button", name="New room").click()
    assert_fits(ann.page)
    ann.page.get_by_role("textbox", name="Room name").fill("A room with a rather long name for a phone")
    ann.page.get_by_role("button", name="Create").click()
    expect(ann.page.get_by_role("textbox", name="Room name")).to_be_hidden()
    ann.room(LOBBY).click()
    bob.say(LONG)
    expect(ann.message(LONG)).to_be_visible()
    ann.say("Quite " * 60)
    assert_fits(ann.page)
    expect(ann.page.get_by_role("textbox", name="Message", exact=True)).to_be_in_viewport(ratio=1)
    expect(ann.page.get_by_role("button", name="Send", exact=True)).to_be_in_viewport(ratio=1)


def test_the_log_follows_new_messages_unless_it_is_scrolled_up(new_person: NewPerson) -> None:
    ann, bob = new_person("ann", viewport=PHONE), new_person("bob")
    for number in range(20):
        bob.write(f"line {number}")
    expect(ann.message("line 19")).to_be_in_viewport()
    ann.message("line 0").scroll_into_view_if_needed()
    bob.say("unseen")
    expect(ann.message("unseen")).to_be_attached()
    expect(ann.message("line 0")).to_be_in_viewport()


def assert_fits(page: Page) -> None:
    wide, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= room, f"the page is {wide} px wide, the window {room} px"


def test_a_painting_does_not_undo_a_scroll_whose_event_has_not_come_yet(new_person: NewPerson) -> None:
    ann, bob = new_person("ann", viewport=PHONE), new_person("bob")
    for number in range(20):
        bob.write(f"line {number}")
    expect(ann.message("line 19")).to_be_in_viewport()
    # The painting runs in the same task as the scroll, so before its event.
    ann.page.evaluate(
        """async () => {
            const { paint } = await import("/page/view.js");
            document.getElementById("log-frame").scrollTop = 0;
            paint();
        }"""
    )
    expect(ann.message("line 0")).to_be_in_viewport()
