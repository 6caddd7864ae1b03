"""Injection and content: what people write is never read as markup or as SQL, and no cache keeps it.

The page is tested with markup in tests/e2e/test_talk.py, invalid texts and numbers at each dialect with its bad input.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from laws.town import Server

import veche

SOURCE = Path(veche.__file__).parent
MARKUP = re.compile(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|srcdoc|DOMParser)\b|new Function")
SQL = ("text", "execute", "executemany", "executescript", "exec_driver_sql")


def test_the_page_makes_no_markup_and_no_code_of_text() -> None:
    scripts = list(SOURCE.glob("web/**/*.js"))
    assert scripts
    assert not [f"{path.name}: {found[0]}" for path in scripts if (found := MARKUP.search(path.read_text()))]


@pytest.mark.parametrize("bad", ["node.innerHTML = text", "eval(text)", "new Function(text)", "document.write(text)"])
def test_markup_of_text_is_found(bad: str) -> None:
    assert MARKUP.search(bad)


def made_of_values(tree: ast.AST) -> Iterator[int]:
    """Yield the lines on which a statement of SQL is put together of pieces that are not numbers or names of ours."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        first = node.args[0]
        joined = isinstance(first, ast.JoinedStr) and not all(map(is_harmless, first.values))
        glued = isinstance(first, ast.BinOp) and isinstance(first.op, ast.Add | ast.Mod)
        called = isinstance(first, ast.Call) and isinstance(first.func, ast.Attribute) and first.func.attr == "format"
        called = called and not ast.unparse(first).startswith("sql.SQL(")  # psycopg quotes what is put into it
        if name in SQL and (joined or glued or called):
            yield node.lineno


def is_harmless(part: ast.expr) -> bool:
    """Tell whether a piece is plain text, a number (`:d`), or a name in capitals or `names`, which is written here."""
    if isinstance(part, ast.Constant):
        return True
    assert isinstance(part, ast.FormattedValue)
    if part.format_spec is not None:
        return ast.unparse(part.format_spec).strip("f'\"") == "d"
    return isinstance(part.value, ast.Name) and (part.value.id.isupper() or part.value.id == "names")


@pytest.mark.parametrize(
    "bad",
    [
        'tx.execute(f"SELECT {name}")',
        'text("SELECT " + name)',
        'c.exec_driver_sql("SELECT %s" % name)',
        'c.execute("SELECT {}".format(name))',
    ],
)
def test_a_statement_made_of_values_is_found(bad: str) -> None:
    assert list(made_of_values(ast.parse(bad))) == [1]


def test_no_statement_is_made_of_values() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{line}"
        for path in SOURCE.rglob("*.py")
        for line in made_of_values(ast.parse(path.read_text()))
    ]
    assert not found, f"give values as parameters: {found}"


@pytest.mark.parametrize(
    "path",
    ["/v1/me", "/v1/rooms", "/me", "/chats", "/profile", "/api/users", "/history", "/v1/rooms/2147483647/messages"],
)
def test_no_cache_keeps_an_answer_and_no_browser_guesses_its_type(server: Server, path: str) -> None:
    person = server.person()
    token = person.token if path == "/profile" else f"Bearer {person.token}"
    for headers in ({"Authorization": token}, {}):
        answer = server.http.get(path, headers=headers)
        assert (answer.status_code == 200) is bool(headers)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("text", ["%", "_", "' OR 1=1 --", '"; DROP TABLE messages; --', "*", "NEAR(", "\\"])
def test_signs_of_sql_are_signs(server: Server, text: str) -> None:
    person = server.person()
    room = person.make_room()
    person.say(room, text, client_id="one")
    assert [message["text"] for message in person.history(room)] == [text]
    bearer = {"Authorization": f"Bearer {person.token}"}
    found = server.http.get("/v1/people", params={"username": text}, headers=bearer)
    assert found.raise_for_status().json()["items"] == []
