"""Tokens with anything wrong are refused."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import pytest

from veche.core.errors import ChatError, Code
from veche.core.values import Account
from veche.service.tokens import LEEWAY, Tokens

KEY = "k" * 32
OTHER = "o" * 32
ANN = Account(7, "ann", "ann", "Ann", None, 0)


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(head: dict[str, Any], claims: Any, key: bytes = KEY.encode(), digest: str = "sha256") -> str:
    """Make a token with any header and claims."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signed = b64(json.dumps(head).encode()) + b"." + b64(payload)
    return (signed + b"." + b64(hmac.new(key, signed, digest).digest())).decode()


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {
        "iss": "veche",
        "aud": "veche",
        "typ": "access",
        "jti": "j",
        "sub": "7",
        "sid": "s1",
        "iat": now,
        "exp": now + 60,
    }
    return {name: value for name, value in (good | changed).items() if value is not ...}


HEAD = {"alg": "HS256", "typ": "JWT", "kid": "1"}


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens({"1": KEY})


def refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(ChatError) as refusal:
        tokens.verify(token)
    assert refusal.value.code is Code.UNAUTHENTICATED


def test_a_minted_token_is_valid(tokens: Tokens) -> None:
    before = int(time.time())
    found = tokens.verify(tokens.mint(ANN, "s1", 60))
    assert (found.account_id, found.session_id) == (7, "s1")
    assert before + 60 <= found.expires_at <= time.time() + 60


def test_two_tokens_differ(tokens: Tokens) -> None:
    assert tokens.mint(ANN, "s1", 60) != tokens.mint(ANN, "s1", 60)


def test_a_token_of_this_test_with_good_claims_is_valid(tokens: Tokens) -> None:
    """This shows that the tokens below are refused because of their content, not because of how `sign` makes them."""
    assert tokens.verify(sign(HEAD, claims())).account_id == 7


@pytest.mark.parametrize(
    "alg", ["none", "NonE", "NONE", "", "HS384", "HS512", "RS256", "ES256", "EdDSA", None, 7, ["HS256"]]
)
def test_other_algorithms_are_refused(tokens: Tokens, alg: Any) -> None:
    refused(tokens, sign(HEAD | {"alg": alg}, claims()))
    refused(tokens, sign(HEAD | {"alg": alg}, claims()).rpartition(".")[0] + ".")


@pytest.mark.parametrize("digest", ["sha384", "sha512"])
def test_stronger_digests_are_refused(tokens: Tokens, digest: str) -> None:
    refused(tokens, sign(HEAD | {"alg": f"HS{digest[3:]}"}, claims(), digest=digest))


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"secret",
        OTHER.encode(),
        KEY[:-1].encode(),
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ],
)
def test_other_keys_are_refused(tokens: Tokens, key: bytes) -> None:
    refused(tokens, sign(HEAD, claims(), key))


@pytest.mark.parametrize("key", [b"", b"None", KEY.encode()])
@pytest.mark.parametrize(
    "kid", [..., None, "", "2", "../../dev/null", "/dev/null", "' or 1=1 --", 1, 1.0, True, [], {}, ["1"]]
)
def test_an_unknown_kid_is_refused(tokens: Tokens, kid: Any, key: bytes) -> None:
    refused(
        tokens, sign({name: value for name, value in (HEAD | {"kid": kid}).items() if value is not ...}, claims(), key)
    )


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
def test_keys_that_a_token_brings_along_are_not_looked_at(tokens: Tokens, name: str) -> None:
    brought = {"kty": "oct", "k": b64(OTHER.encode()).decode()}
    refused(tokens, sign(HEAD | {name: brought}, claims(), OTHER.encode()))


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "sid", "jti", "typ", "iat", "exp"])
def test_every_claim_is_required(tokens: Tokens, name: str) -> None:
    refused(tokens, sign(HEAD, claims(**{name: ...})))
    refused(tokens, sign(HEAD, claims(**{name: None})))


NOW = int(time.time())


ODD = {
    "a word": "abc",
    "empty": "",
    "a number in quotes": str(NOW + 60),
    "true": True,
    "negative": -1,
    "zero": 0,
    "over": NOW - LEEWAY - 5,
    "a fraction": NOW + 60.5,
    "a list": [],
    "an object": {},
    "infinity": float("inf"),
    "no number": float("nan"),
}


@pytest.mark.parametrize("exp", ODD.values(), ids=list(ODD))
def test_an_odd_expiry_is_refused(tokens: Tokens, exp: Any) -> None:
    refused(tokens, sign(HEAD, claims(exp=exp)))


def test_an_expiry_beyond_all_numbers_is_refused(tokens: Tokens) -> None:
    raw = json.dumps(claims(exp=12345)).replace("12345", "1e400").encode()
    refused(tokens, sign(HEAD, raw))


def test_a_clock_may_be_a_little_off(tokens: Tokens) -> None:
    assert LEEWAY <= 30
    assert tokens.verify(sign(HEAD, claims(exp=int(time.time()) - LEEWAY + 5)))


@pytest.mark.parametrize("changed", [{"nbf": NOW + 3600}, {"nbf": "abc"}])
def test_a_token_of_the_future_is_refused(tokens: Tokens, changed: dict[str, Any]) -> None:
    refused(tokens, sign(HEAD, claims(**changed)))


def test_a_token_from_a_clock_that_was_ahead_is_valid(tokens: Tokens) -> None:
    assert tokens.verify(sign(HEAD, claims(iat=NOW + 7200, exp=NOW + 9000)))


@pytest.mark.parametrize(
    "changed",
    [
        {"typ": "refresh"},
        {"typ": ["access"]},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": []},
        {"iss": "other"},
        {"iss": ["veche"]},
        {"sub": 7},
        {"sub": "x"},
        {"sub": ""},
        {"sub": "7.0"},
        {"sub": ["7"]},
        {"sub": "9" * 5000},
    ],
)
def test_a_token_for_something_else_is_refused(tokens: Tokens, changed: dict[str, Any]) -> None:
    refused(tokens, sign(HEAD, claims(**changed)))


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", "a.b.c", "\0", "é.é.é", "\ud800", "x" * 10_000, "e30.e30.", b64(b"[]").decode() + ".e30.x"],
)
def test_malformed_tokens_are_refused(tokens: Tokens, token: str) -> None:
    refused(tokens, token)


@pytest.mark.parametrize("payload", [b"[]", b"7", b"null", b'"x"', b"\xff", b"", b"[" * 100_000, b'{"a":' * 100_000])
def test_claims_that_are_not_an_object_are_refused(tokens: Tokens, payload: bytes) -> None:
    refused(tokens, sign(HEAD, payload))


def test_a_changed_token_is_refused(tokens: Tokens) -> None:
    head, body, signature = tokens.mint(ANN, "s1", 60).split(".")
    other = b64(json.dumps(claims(sub="8")).encode()).decode()
    refused(tokens, f"{head}.{other}.{signature}")
    refused(tokens, f"{head}.{body}.")
    refused(tokens, f"{head}.{body}")
    refused(tokens, f"{head}.{body}.{signature[:-4]}")


def test_the_first_key_signs_and_the_others_verify() -> None:
    old = Tokens({"1": KEY}).mint(ANN, "s1", 60)
    rotated = Tokens({"2": OTHER, "1": KEY})
    new = rotated.mint(ANN, "s1", 60)
    assert rotated.verify(old) == rotated.verify(new)._replace(expires_at=rotated.verify(old).expires_at)
    refused(Tokens({"2": OTHER}), old)
    assert Tokens({"2": OTHER}).verify(new)


def test_a_token_of_another_server_is_refused(tokens: Tokens) -> None:
    refused(tokens, Tokens({"1": OTHER}).mint(ANN, "s1", 60))


def test_a_token_that_was_checked_before_still_expires(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tokens.mint(ANN, "s1", 60)
    assert tokens.verify(token) == tokens.verify(token)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60 + LEEWAY - 1)
    assert tokens.verify(token)
    monkeypatch.setattr(time, "time", lambda: now + 60 + LEEWAY + 1)
    refused(tokens, token)


def test_a_token_that_was_checked_before_is_no_ticket_and_no_other_token(tokens: Tokens) -> None:
    token, ticket = tokens.mint(ANN, "s1", 60), tokens.mint_ticket(ANN.id, "s1", "links", 60)
    assert tokens.verify(token)
    assert tokens.verify_ticket(ticket, "links")
    for check in (lambda: tokens.verify(ticket), lambda: tokens.verify_ticket(token, "links")):
        with pytest.raises(ChatError):
            check()
    with pytest.raises(ChatError):
        tokens.verify_ticket(ticket, "rechts")
    refused(tokens, token[:-1] + ("A" if token[-1] != "A" else "B"))


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("veche.service.tokens.REMEMBERED", 3)
    tokens = Tokens({"1": KEY})
    minted = [tokens.mint(ANN, f"s{number}", 60) for number in range(6)]
    for token in [*minted, *minted]:
        assert tokens.verify(token)
    assert len(tokens._remembered) == 3
    long = tokens.mint(ANN, "s" * 2000, 60)
    assert tokens.verify(long)
    assert all(len(token) < 2000 for _, token in tokens._remembered)
