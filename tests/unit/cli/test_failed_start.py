"""A server whose start fails leaves nothing behind that says it runs."""

from __future__ import annotations

import contextlib

import psycopg
import pytest

from veche import app
from veche.settings import read_settings
from veche.storage import opening


@pytest.mark.parametrize("part", ["HeldBytes", "build_application", "Nodes"])
def test_a_start_that_fails_leaves_no_node(postgres_url: str, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(app, part, fail)
    settings = read_settings(app.DIALECTS, {"VECHE_DATABASE_URL": postgres_url})
    with contextlib.closing(opening.open_to_serve(postgres_url)) as database:
        with pytest.raises(RuntimeError, match="a bug"):
            app.Server(settings, database)
        with psycopg.connect(postgres_url) as connection:
            assert connection.execute("SELECT count(*) FROM veche.nodes").fetchone() == (0,)
