"""No password of an address is shown, or taken for a host, whatever characters it has."""

from __future__ import annotations

import logging
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from veche.bus import redis_address
from veche.bus.bus import BusError
from veche.ops.addresses import is_clear, secrets_in
from veche.storage.database import DatabaseError
from veche.storage.kinds import postgres_database

BOUNDED = settings(
    max_examples=examples(400),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
PARTS = ("Zx7a", "Zx7b", "7123", "Zx7c")  # none is in a sentence, or in the rest of an address
separators = st.text("/@#?:&=,%[]+ \\é", min_size=1, max_size=3)
passwords = st.lists(st.tuples(st.sampled_from(PARTS), separators), min_size=1, max_size=4).map(
    lambda pieces: "".join(part + separator for part, separator in pieces)
)
users = st.sampled_from(["", "me"])
database_forms = st.sampled_from(
    [
        "postgresql://{}:{}@db:54/chat",
        "postgres://{}:{}@db,db2:54/chat?sslmode=require",
        "postgresql+asyncpg://{}:{}@db",
        "postgresql://{}:{}@/chat?host=/run",
        "postgresql://{}:{}@db/chat?schema=x",
    ]
)
redis_forms = st.sampled_from(
    [
        "redis://{}:{}@db:63",
        "rediss://{}:{}@db/0?ssl_ca_certs=/ca.pem",
        "redis+cluster://{}:{}@db:63,db2:64",
        "redis+sentinel://{}:{}@db,db2/service",
        "redis+sentinel://db/service?sentinel_username={}&sentinel_password={}",
    ]
)


def check_hidden(*texts: str) -> None:
    for text in texts:
        for part in PARTS:
            assert part not in text, text


def check_advises(said: str) -> None:
    assert "%XX" in said or "%40" in said


@BOUNDED
@given(form=database_forms, user=users, password=passwords)
def test_a_password_of_a_database_is_not_shown(
    caplog: pytest.LogCaptureFixture, form: str, user: str, password: str
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    try:
        conninfo, name = postgres_database.parse(form.format(user, password))
    except DatabaseError as refused:
        check_hidden(said := str(refused), *caplog.messages)
        check_advises(said)
    else:
        check_hidden(name, *caplog.messages)
        assert password[:4] in str(psycopg.conninfo.conninfo_to_dict(conninfo)["password"])


@BOUNDED
@given(form=redis_forms, user=users, password=passwords)
def test_a_password_of_redis_is_not_shown(form: str, user: str, password: str) -> None:
    try:
        address = redis_address.parse(form.format(user, password))
    except BusError as refused:
        check_hidden(str(refused))
    else:
        check_hidden(repr(address), *(host for host, _ in address.hosts), address.service)


@BOUNDED
@given(form=database_forms, user=users, password=passwords)
def test_a_password_that_is_written_as_advised_is_understood(form: str, user: str, password: str) -> None:
    url = form.format(user, quote(password, safe=""))
    assert is_clear(url)
    assert psycopg.conninfo.conninfo_to_dict(postgres_database.parse(url)[0])["password"] == password
    assert set(secrets_in(url)) >= {password, quote(password, safe="")}


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("postgresql://db/chat?user=me&password=p%2Fw", {"p/w", "p%2Fw"}),
        ("redis+sentinel://:one@db/s?sentinel_password=two", {"one", "two"}),
        ("postgresql://me:a/b@db/chat", {"me:a/b"}),
        ("postgresql://db/chat", set()),
        ("sqlite:///data/a@b.db", set()),
    ],
)
def test_what_is_kept_out_of_the_log(url: str, secrets: set[str]) -> None:
    assert set(secrets_in(url)) == secrets


def test_a_port_that_is_no_number_is_not_shown() -> None:
    with pytest.raises(DatabaseError, match="cannot be understood") as refused:
        postgres_database.parse("postgresql://me:Zx7a/chat")
    check_hidden(str(refused.value))
