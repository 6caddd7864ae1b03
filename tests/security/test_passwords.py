"""Common passwords: native and the command line refuse them, and the older contracts take what their originals took."""

from __future__ import annotations

import unicodedata
from importlib.resources import files
from typing import Literal

import httpx
import pytest
from laws.town import PASSWORD, Server, run

from veche.core.errors import ChatError
from veche.dialects.native.limits import MIN_PASSWORD
from veche.dialects.native.passwords import check_password

COMMON = (files("veche.dialects.native") / "common_passwords.txt").read_text(encoding="ascii").split()
OLDER = [
    ("dispatch", "/signup", {"username": "ann1"}, "12345678"),
    ("rooms", "/rooms/register", {"username": "ann2", "email": "ann2@example.com"}, "password123"),
    ("socketio", "/api/auth/register", {"username": "ann3"}, "password123"),
    ("channels", "/api/v1/register", {"username": "ann4"}, "Password1"),
    ("messenger", "/messenger/register", {"email": "ann5@example.com"}, "password123"),
]


def test_the_list_has_the_three_thousand_most_common_passwords_that_are_long_enough() -> None:
    """As OWASP ASVS 6.2.4 asks."""
    assert len(set(COMMON)) == len(COMMON) >= 3000
    assert all(len(word) >= MIN_PASSWORD and word == word.casefold() for word in COMMON)
    assert {"password", "password1", "12345678", "qwertyuiop", "iloveyou", "00000000"} <= set(COMMON)


@pytest.mark.parametrize("password", [COMMON[0], COMMON[-7], "PassWord1", "ann.smith", "Ann@Example.com"])
def test_a_common_password_is_refused_where_accounts_are_made_and_where_it_is_changed(
    server: Server, password: str
) -> None:
    ann = {"username": "ann.smith", "email": "ann@example.com", "password": password}
    refused(server.http.post("/v1/register", json=ann), "password")
    if server.http.post("/v1/login", json=ann | {"email": None, "password": PASSWORD}).status_code == 401:
        server.http.post("/v1/register", json=ann | {"password": PASSWORD}).raise_for_status()
    token = server.http.post("/v1/login", json={"username": "ann.smith", "password": PASSWORD}).json()["token"]
    change = {"old_password": PASSWORD, "new_password": password}
    headers = {"Authorization": f"Bearer {token}"}
    refused(server.http.put("/v1/me/password", json=change, headers=headers), "new_password")
    for words in (("add", "ann.smith", "--email", "ann@example.com"), ("password", "ann.smith")):
        done = run("user", *words, "--password", password, "--database-url", server.database_url)
        said = "veche: This password is among the first that anybody would try.\n"
        assert (done.returncode, done.stderr) == (1, said)


def refused(answer: httpx.Response, field: str) -> None:
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error == {"field": field, "message": "This password is among the first that anybody would try."}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_own_name_is_known_whichever_keyboard_typed_it(form: Literal["NFC", "NFD"]) -> None:
    """A password is hashed in one normal form, so both forms are the same password."""
    with pytest.raises(ChatError, match="among the first"):
        check_password(unicodedata.normalize(form, "Jos\xe9-Garc\xeda"), "jos\xe9-garc\xeda")


@pytest.mark.parametrize(("dialect", "path", "fields", "password"), OLDER, ids=lambda value: str(value)[:9])
def test_the_older_contracts_take_what_their_originals_took_and_such_an_account_goes_on(
    server: Server, dialect: str, path: str, fields: dict[str, str], password: str
) -> None:
    assert password.casefold() in COMMON
    server.http.post(path, json=fields | {"password": password}).raise_for_status()
    name = {key: value for key, value in fields.items() if key == ("email" if "email" in fields else "username")}
    answer = server.http.post("/v1/login", json=name | {"password": password}).raise_for_status()
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    email = {"email": f"{dialect}@example.org", "password": password}
    server.http.patch("/v1/me", json=email, headers=headers).raise_for_status()
    change = {"old_password": password, "new_password": "a better password"}
    server.http.put("/v1/me/password", json=change, headers=headers).raise_for_status()
