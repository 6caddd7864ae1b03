"""Two people talk on the page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from veche.core.values import LOBBY_ID

from .conftest import NewPerson
from .harness import LOBBY, Server

pytestmark = pytest.mark.e2e

PAYLOADS = (
    "<script>window.__x = 1</script>",
    "<img src=x onerror='window.__x = 1'>",
    "<svg onload=window.__x=1>",
    "\"'><a href=javascript:window.__x=1>click</a>",
)


def test_two_people_sign_up_and_talk_in_the_lobby(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    expect(ann.room(LOBBY)).to_have_attribute("aria-current", "true")

    ann.say("Is anybody here?")
    expect(bob.message("Is anybody here?")).to_contain_text("ann")
    bob.say("Yes, I am.")
    ann.say("Good.")

    for person in (ann, bob):
        person.expect_texts("Is anybody here?", "Yes, I am.", "Good.")
    received = ann.message("Yes, I am.")
    expect(received).to_contain_text(re.compile(r"bob\s+\d\d:\d\d"))
    expect(received.locator(".state")).to_be_empty()
    expect(received.locator("time")).to_have_attribute("datetime", re.compile(r"^\d{4}-\d\d-\d\dT.*Z$"))


def test_enter_sends_and_shift_enter_breaks_the_line(new_person: NewPerson) -> None:
    ann = new_person("ann")
    box = ann.page.get_by_role("textbox", name="Message")
    box.press_sequentially("one")
    box.press("Shift+Enter")
    box.press_sequentially("two")
    box.press("Enter")
    ann.expect_state(ann.messages, "sent")
    ann.expect_texts("one\ntwo")
    expect(box).to_have_value("")


def test_a_second_person_joins_a_new_room(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    ann.make_room("Bell tower")
    ann.say("Who comes up?")

    bob.focus_window()
    expect(bob.room("Bell tower")).to_contain_text("join")
    bob.enter("Bell tower")
    expect(bob.message("Who comes up?")).to_be_visible()
    bob.say("Me.")
    ann.say("Mind the step.")

    for person in (ann, bob):
        person.expect_texts("Who comes up?", "Me.", "Mind the step.")
        expect(person.room("Bell tower")).not_to_contain_text("join")
    bob.room(LOBBY).click()
    bob.expect_texts()


def test_messages_elsewhere_are_counted_until_they_are_seen(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    ann.page.get_by_role("button", name="New room").click()
    ann.page.get_by_role("textbox", name="Room name").fill("Quay")
    ann.page.get_by_role("textbox", name="Room name").press("Enter")
    expect(ann.room("Quay")).to_have_attribute("aria-current", "true")

    bob.say("one")
    bob.say("two")
    expect(ann.room(LOBBY)).to_contain_text("2 new")
    expect(ann.page).to_have_title("(2) Veche")
    ann.room(LOBBY).click()
    expect(ann.room(LOBBY)).not_to_contain_text("new")
    ann.expect_texts("one", "two")


@pytest.mark.parametrize("how", ["button", "scrolling"])
def test_a_reload_keeps_the_session_and_the_history(new_person: NewPerson, how: str) -> None:
    ann = new_person("ann")
    texts = [f"line {number}" for number in range(55)]
    for text in texts:
        ann.write(text)
    ann.expect_texts(*texts)
    ann.expect_state(ann.messages.last, "sent")

    ann.page.reload()
    ann.expect_caught_up()
    ann.expect_texts(*texts[5:])
    if how == "button":  # a real click scrolls to it first, which loads them too, and then there may be no button
        ann.page.get_by_role("button", name="Earlier messages").dispatch_event("click")
    else:
        ann.page.locator("#log-frame").evaluate("frame => frame.scrollTop = 0")
    ann.expect_texts(*texts)
    expect(ann.page.get_by_role("button", name="Earlier messages")).to_be_hidden()


def test_markup_stays_text(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    for payload in PAYLOADS:
        ann.say(payload)
    bob.expect_texts(*PAYLOADS)
    for person in (ann, bob):
        assert person.log.locator("script, img, svg, a").count() == 0
        assert person.page.locator("script:not([src='/page.js'], [src='/loading.js'])").count() == 0
        assert person.page.evaluate("window.__x") is None
    assert bob.console_errors == []


def test_markup_as_username_is_refused_or_stays_text(new_person: NewPerson) -> None:
    mallory = new_person(PAYLOADS[1][:32], new=False)
    mallory.page.goto(mallory.url)
    mallory.fill_in()
    mallory.page.get_by_role("button", name="Sign up").click()
    expect(mallory.page.get_by_role("alert").filter(visible=True)).not_to_be_empty()
    assert mallory.page.locator("img").count() == 0
    assert mallory.page.evaluate("window.__x") is None


def test_a_name_that_is_markup_stays_text(new_person: NewPerson, server: Server) -> None:
    ann = new_person("ann")
    name = PAYLOADS[1]
    answer = ann.context.request.post(
        f"{server.url}/v1/register",
        data={"username": "mallory", "password": "x" * 12, "name": name},
    )
    token = answer.json()["token"]
    ann.context.request.post(
        f"{server.url}/v1/rooms/2147483647/messages",
        headers={"Authorization": f"Bearer {token}"},
        data={"text": "hello"},
    )
    expect(ann.message("hello").locator(".sender")).to_have_text(name)
    assert ann.log.locator("img").count() == 0
    assert ann.page.evaluate("window.__x") is None


def test_a_wrong_password_shows_an_error(new_person: NewPerson) -> None:
    new_person("ann")
    stranger = new_person("ann", new=False)
    stranger.page.goto(stranger.url)
    stranger.fill_in("not the password")
    stranger.page.get_by_role("button", name="Sign in").click()
    problem = stranger.page.get_by_role("alert").filter(visible=True)
    expect(problem).to_contain_text(re.compile("password", re.IGNORECASE))
    assert "{" not in problem.inner_text()

    stranger.fill_in()
    stranger.page.get_by_role("button", name="Sign in").click()
    stranger.expect_caught_up()


def test_sign_out_ends_it(new_person: NewPerson) -> None:
    ann = new_person("ann")
    ann.say("between us")
    ann.page.get_by_role("button", name="Sign out").click()
    expect(ann.page.get_by_role("textbox", name="Username")).to_be_visible()
    assert "between us" not in ann.page.content()
    ann.page.reload()
    expect(ann.page.get_by_role("textbox", name="Username")).to_be_visible()


def test_the_page_shows_what_others_edit_and_delete(new_person: NewPerson) -> None:
    ann, bob = new_person("ann"), new_person("bob")
    for text in ("It is at nine.", "Never mind."):
        ann.say(text)
        expect(bob.message(text)).to_be_visible()
    edited, deleted = ann.call("GET", f"/v1/rooms/{LOBBY_ID}/messages")["items"][-2:]

    ann.call("PATCH", f"/v1/rooms/{LOBBY_ID}/messages/{edited['id']}", {"text": "It is at ten."})
    ann.call("DELETE", f"/v1/rooms/{LOBBY_ID}/messages/{deleted['id']}")
    for person in (ann, bob):
        person.expect_texts("It is at ten.", "This message was deleted.")
        expect(person.message("It is at ten.").locator(".state")).to_have_text("edited")
    bob.page.reload()
    bob.expect_texts("It is at ten.", "This message was deleted.")
