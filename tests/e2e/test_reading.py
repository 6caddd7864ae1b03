"""Reading on the page: links."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import NewPerson

pytestmark = pytest.mark.e2e


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
