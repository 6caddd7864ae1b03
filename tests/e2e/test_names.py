"""Names on the page: whoever may call themselves as they like, their username stands beside the name."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import NewPerson
from .harness import PASSWORD, Person, Server

pytestmark = pytest.mark.e2e


def register(person: Person, server: Server, **account: str) -> None:
    data = {"username": person.name, "password": PASSWORD, **account}
    person.context.request.post(f"{server.url}/v1/register", data=data, fail_on_status_code=True)


def sign_in(person: Person, username: str) -> None:
    person.page.goto(person.url)
    person.fill_in()
    person.page.get_by_role("textbox", name="Username").fill(username)
    person.page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("username", ["dora@example.org", " dora@example.org ", "@dora"])
def test_an_email_or_a_username_as_the_page_shows_it_signs_in(
    new_person: NewPerson, server: Server, username: str
) -> None:
    dora = new_person("dora", new=False)
    register(dora, server, email="dora@example.org")
    sign_in(dora, username)
    dora.expect_caught_up()


def test_a_wrong_email_shows_an_error(new_person: NewPerson) -> None:
    stranger = new_person("stranger", new=False)
    sign_in(stranger, "nobody@example.org")
    expect(stranger.page.get_by_role("alert").filter(visible=True)).to_contain_text("password")


@pytest.mark.parametrize("name", ["ann", "ann @ann", "\N{CYRILLIC SMALL LETTER A}nn", "a" * 50])
def test_the_username_stands_beside_a_name_that_is_another(new_person: NewPerson, server: Server, name: str) -> None:
    ann, mallory = new_person("ann"), new_person("mallory", new=False)
    register(mallory, server, name=name)
    sign_in(mallory, "mallory")
    expect(mallory.page.locator("#whoami")).to_have_text(f"{name} @mallory")
    mallory.say("hello")
    ann.say("hello yourself")
    expect(ann.message("hello").locator(".sender")).to_have_text(name)
    expect(ann.message("hello").locator(".handle")).to_have_text("@mallory")
    expect(ann.message("hello").locator(".handle")).to_be_in_viewport(ratio=1)
    expect(mallory.message("hello yourself").locator(".handle")).to_be_empty()  # the name is the username


def test_the_username_stands_beside_the_name_of_a_direct_room(new_person: NewPerson, server: Server) -> None:
    ann, mallory = new_person("ann"), new_person("mallory", new=False)
    register(mallory, server, name="bob")
    [found] = mallory.call("GET", "/v1/people?username=ann")["items"]
    room = mallory.call("POST", "/v1/rooms", {"kind": "direct", "member_ids": [found["id"]]})
    mallory.call("POST", f"/v1/rooms/{room['id']}/messages", {"text": "It is me, bob"})
    expect(ann.invitations).to_contain_text("bob @mallory wants to talk to you")
    ann.accept("bob")
    expect(ann.room("bob")).to_contain_text("@mallory")
    expect(ann.page.locator(".room-head")).to_contain_text("bob @mallory")
    ann.page.reload()
    expect(ann.page.locator(".room-head")).to_contain_text("bob @mallory")
    ann.expect_texts("It is me, bob")
