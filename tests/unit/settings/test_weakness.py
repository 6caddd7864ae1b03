"""Secrets that somebody could guess are refused, random ones are not."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veche.app import DIALECTS
from veche.gateway.weakness import KNOWN, is_weak
from veche.settings import SettingsError, read_settings

GUESSED = [
    *("a" * 16, "a" * 64, "ab" * 20, "abc" * 16, "password" * 4, "passwordpasswordpass", "secret" * 6 + "secr"),
    *(
        "0123456789abcdef0123456789abcdef",
        "abcdefghijklmnopqrstuvwxyz012345"[:26],
        "zyxwvutsrqponmlkjihgfedcba",
        "1" * 40,
    ),
    *("1234512345123451234512345123451234512345", " " * 40, "changeme" + " " * 40),
]


@pytest.mark.parametrize("secret", [*GUESSED, *sorted(KNOWN), *(known.upper() for known in sorted(KNOWN))])
def test_what_can_be_guessed_is_weak(secret: str) -> None:
    assert is_weak(secret, 16)


OF_THE_ORIGINALS = [
    *("some_long_secret_key", "secretpassword", "password123", "password", "default", "pass", "postgres", "dev-secret"),
    *("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...", "secret-key"),
    "60e564f55e8381869ecab0b9e87f5cf3154140d97e8c6275aed3c80676652e2e",
]
"""What the documents and the repositories of the original servers print in the place of a secret."""


@pytest.mark.parametrize("secret", OF_THE_ORIGINALS)
def test_what_the_originals_print_is_known(secret: str) -> None:
    assert is_weak(secret, 1)
    assert is_weak(f" {secret.upper()}\n", 1)


@pytest.mark.parametrize("secret", ["some_long_secret_key", "dev-secret", "changeme", "secretpassword"])
@pytest.mark.parametrize("name", ["VECHE_SECRET", "JWT_SECRET", "SECRET_KEY", "JWT_SECRET_KEY"])
def test_known_examples_are_refused_by_name_and_not_shown(name: str, secret: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name}\b.* is too weak") as refused:
        read_settings(DIALECTS, {name: secret})
    assert secret not in str(refused.value)


@pytest.mark.parametrize("secret", ["a" * 16, "ab" * 8, "\t" * 20])
def test_a_legacy_secret_with_little_in_it_is_refused(secret: str) -> None:
    with pytest.raises(SettingsError, match=r"^JWT_SECRET is too weak"):
        read_settings(DIALECTS, {"JWT_SECRET": secret})


@given(st.binary(min_size=32, max_size=64).filter(lambda found: len(set(found)) > 20))
def test_random_secrets_are_strong_in_each_usual_form(found: bytes) -> None:
    assert not is_weak(found.hex(), 32)
    assert not is_weak(base64.b64encode(found).decode(), 32)
