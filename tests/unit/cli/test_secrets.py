"""Which values of the settings are kept out of the log."""

from __future__ import annotations

import pytest

from veche.app import DIALECTS
from veche.cli.serve import secrets_of
from veche.settings import read_settings

STRONG = "6f1d0a7c3e9b48521f0e7d6c5b4a3928"


@pytest.mark.parametrize(
    ("environ", "secrets"),
    [
        ({}, set()),
        ({"VECHE_SECRET": STRONG}, {STRONG}),
        ({"VECHE_OLD_SECRET": STRONG}, {STRONG}),
        ({"VECHE_DATABASE_URL": "postgresql://me:p%40ssword@db/chat"}, {"p%40ssword", "p@ssword"}),
        ({"VECHE_ECHO_UPSTREAM": "wss://me:upstream1@up.example"}, {"upstream1"}),
        ({"VECHE_DATABASE_URL": "x://[me:pass"}, {"x://[me:pass"}),
    ],
)
def test_secrets_and_passwords_in_addresses_are_kept_out(environ: dict[str, str], secrets: set[str]) -> None:
    assert set(secrets_of(read_settings(DIALECTS, environ))) == secrets
