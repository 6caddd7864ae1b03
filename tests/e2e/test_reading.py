"""Reading on the page: links, lines that come while one reads older ones, and older lines on the way up."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import ViewportSize, expect

from .conftest import NewPerson
from .harness import LOBBY, Person

pytestmark = pytest.mark.e2e

PHONE: ViewportSize = {"width": 360, "height": 640}


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://example.org/a?b=c#d.", ["https://example.org/a?b=c#d"]),
        ("(http://example.org/x_(y)), HTTPS://EXAMPLE.ORG!", ["http://example.org/x_(y)", "https://example.org/"]),
        ("two: http://a.example http://b.example/", ["http://a.example/", "http://b.example/"]),
        ("<https://example.org/>", ["https://example.org/"]),
        ("https://пример.example/путь", ["https://xn--e1afmkfd.example/%D0%BF%D1%83%D1%82%D1%8C"]),
        ("javascript:alert(1) data:text/html,x ftp://example.org mailto:a@example.org", []),
        ("javascript://https:alert(1) xhttps://example.org http:// https://", []),
        ('https://example.org/"onclick="alert(1)', ["https://example.org/"]),
        ("https://example.org/\u202egpj.exe", ["https://example.org/"]),
    ],
)
def test_links_are_links_and_nothing_else_is(new_person: NewPerson, text: str, links: list[str]) -> None:
    ann = new_person("ann")
    message = ann.say(text)
    assert message.locator("a").evaluate_all("(all) => all.map((a) => a.href)") == links
    for link in message.locator("a").all():
        expect(link).to_have_attribute("rel", "noopener noreferrer")
        expect(link).to_have_attribute("target", "_blank")
    ann.expect_texts(text)
    assert ann.console_errors == []


def scroll_up(person: Person) -> None:
    person.log.hover()
    person.page.mouse.wheel(0, -100_000)


@pytest.mark.parametrize("by", ["the mark", "hand"])
def test_new_lines_are_marked_while_older_ones_are_read(new_person: NewPerson, by: str) -> None:
    ann, bob = new_person("ann", viewport=PHONE), new_person("bob")
    mark = ann.page.get_by_role("button", name=re.compile("^. new$"))
    for number in range(20):
        bob.say(f"line {number}")
    expect(ann.message("line 19")).to_be_in_viewport()
    expect(mark).to_be_hidden()
    scroll_up(ann)
    expect(ann.message("line 0")).to_be_in_viewport()
    expect(mark).to_be_hidden()
    bob.say("one more")
    bob.say("and another")
    expect(mark).to_have_text("2 new")
    expect(ann.room(LOBBY)).to_contain_text("2 new")
    expect(ann.message("line 0")).to_be_in_viewport()

    if by == "hand":
        ann.page.mouse.wheel(0, 100_000)
    else:
        mark.click()
    expect(ann.message("and another")).to_be_in_viewport()
    expect(mark).to_be_hidden()
    expect(ann.room(LOBBY)).not_to_contain_text("new")
    bob.say("the last")
    expect(ann.message("the last")).to_be_in_viewport()
    expect(mark).to_be_hidden()


def test_scrolling_up_loads_older_lines_and_keeps_the_place(new_person: NewPerson) -> None:
    ann = new_person("ann")
    texts = [f"line {number}" for number in range(120)]
    for text in texts:
        ann.write(text)
    ann.expect_state(ann.message(texts[-1]), "sent")
    ann.page.reload()
    ann.expect_texts(*texts[70:])
    expect(ann.message(texts[-1])).to_be_in_viewport()

    scroll_up(ann)
    ann.expect_texts(*texts[20:])
    expect(ann.message(texts[70])).to_be_in_viewport()
    scroll_up(ann)
    ann.expect_texts(*texts)
    expect(ann.message(texts[20])).to_be_in_viewport()
    scroll_up(ann)
    expect(ann.message(texts[0])).to_be_in_viewport()
    assert ann.console_errors == []
