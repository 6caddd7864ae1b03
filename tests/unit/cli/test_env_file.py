"""The files `.env`: what they may contain, who may have written them, and who reads them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from tests.veche_process import VecheProcess, run_veche
from veche.cli.env_file import parse, read
from veche.cli.main import app
from veche.settings import SettingsError

ROOT = Path(__file__).resolve().parents[3]
STRONG = "6f1d0a7c3e9b48521f0e7d6c5b4a3928"

OF_THE_ORIGINALS = """
POSTGRES_USER
POSTGRES_PASSWORD=default

DATABASE_URL=postgresql://user:pass@db:5432/chat
JWT_SECRET=some_long_secret_key
SECRET_KEY=``
JWT_SECRET_KEY = "60e564f55e8381869ecab0b9e87f5cf3154140d97e8c6275aed3c80676652e2e"
JWT_EXPIRATION_TIME = 3600
"""


def test_the_files_of_the_originals_are_read() -> None:
    assert parse(OF_THE_ORIGINALS, "x") == {
        "POSTGRES_PASSWORD": "default",
        "DATABASE_URL": "postgresql://user:pass@db:5432/chat",
        "JWT_SECRET": "some_long_secret_key",
        "SECRET_KEY": "``",
        "JWT_SECRET_KEY": "60e564f55e8381869ecab0b9e87f5cf3154140d97e8c6275aed3c80676652e2e",
        "JWT_EXPIRATION_TIME": "3600",
    }


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("  export A = b  ", "b"),
        ("A=", ""),
        ("A= # comment", ""),
        ("A=#b", ""),
        ("A=b#c d # comment", "b#c d"),
        ("A=a=b", "a=b"),
        ("A='b # $c \\n' # comment", "b # $c \\n"),
        ('A="b # c"', "b # c"),
        (r'A="a\"b\\c\n\$d"', 'a"b\\c\n$d'),
        ('A="it\'s"', "it's"),
        ("A=it's", "it's"),
        ("A=b\r", "b"),
        ("A=b\nA=c", "c"),
    ],
)
def test_a_line_sets_a_value(line: str, value: str) -> None:
    assert parse(f"# first\n\n{line}\n", "x") == {"A": value}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("hunter2 = b c", None),
        ("hunter2-x=b", "x, line 2: this is no NAME=value."),
        ("=hunter2", "x, line 2: this is no NAME=value."),
        ("{hunter2}", "x, line 2: this is no NAME=value."),
        ("A='hunter2", "x, line 2, A: the quote is not closed on this line, or something stands after it."),
        ('A="hunter2" x', "x, line 2, A: the quote is not closed on this line, or something stands after it."),
        (
            "A=hunter2$B",
            "x, line 2, A: put a value with a $ in single quotes. Variables are not filled in.",
        ),
        (
            r'A="\\${hunter2}"',
            "x, line 2, A: put a value with a $ in single quotes. Variables are not filled in.",
        ),
    ],
)
def test_what_programs_read_differently_is_refused_and_not_shown(line: str, sentence: str | None) -> None:
    if sentence is None:
        assert parse(line, "x")
        return
    with pytest.raises(SettingsError) as refused:
        parse(f"B=1\n{line}", "x")
    assert str(refused.value) == sentence


@given(st.text().filter(lambda text: not set(text) & set("'\n\r\0")))
def test_single_quotes_keep_everything(value: str) -> None:
    assert parse(f"A='{value}'", "x") == {"A": value}


@given(st.text(max_size=100))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        assert all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) for name in parse(text, "x"))
    except SettingsError as error:
        said = str(error)
        assert said.endswith(".")


def test_a_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("VECHE_PORT=1\n")
    for mode in (0o600, 0o644, 0o400):
        path.chmod(mode)
        assert read(path) == {"VECHE_PORT": "1"}
    for mode in (0o666, 0o602):
        path.chmod(mode)
        with pytest.raises(SettingsError, match="can be written by other people: run chmod go-w"):
            read(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("VECHE_PORT=1\n")
    os.chown(path, 12345, 0)
    with pytest.raises(SettingsError, match="belongs to somebody else"):
        read(path)
    os.chown(path, 0, 12345)
    path.chmod(0o660)
    with pytest.raises(SettingsError, match="can be written by other people"):
        read(path)


def test_what_is_no_text_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read(path)
    for content in (b"A=\xff", b"A=\0", b"A=" + b"x" * 70_000):
        path.write_bytes(content)
        with pytest.raises(SettingsError, match=r"no text\.$"):
            read(path)
    path.unlink()
    os.mkfifo(path)
    for strange in (path, tmp_path):
        with pytest.raises(SettingsError, match=r"is no file|Is a directory"):
            read(strange)


@pytest.mark.slow
def test_serve_reads_both_files_below_the_environment(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / ".env").write_text(f"VECHE_ACCESS_LOG=1\nVECHE_LOG_FORMAT=text\nVECHE_SECRET={STRONG}\n")
    (tmp_path / "src" / ".env").write_text("VECHE_ACCESS_LOG=0\nVECHE_LOG_FORMAT=json\nVECHE_DIALECTS=native\n")
    with VecheProcess(tmp_path, {"VECHE_LOG_FORMAT": "json"}) as server:
        pass
    assert f"settings are also read from {tmp_path}/.env" in server.log
    assert f"settings are also read from {tmp_path}/src/.env" in server.log
    assert '"dialects": "native"' in server.log  # of src/.env, as JSON because of the environment
    assert not (tmp_path / "veche.db.secret").exists()
    assert STRONG not in server.log


@pytest.mark.slow
def test_serve_refuses_a_file_that_it_cannot_trust(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("VECHE_PORT=0\n")
    (tmp_path / ".env").chmod(0o666)
    done = veche(tmp_path, "serve", "--port", "0")
    assert done.returncode == 1
    assert ".env can be written by other people" in done.stderr


@pytest.mark.slow
def test_other_commands_read_only_the_file_that_they_are_given(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("VECHE_DATABASE_URL=sqlite:///of-the-file.db\n")
    assert "data/veche.db" in veche(tmp_path, "migrate").stdout
    assert "of-the-file.db" in veche(tmp_path, "migrate", "--env-file", ".env").stdout
    assert veche(tmp_path, "user", "list", "--json", "--env-file", ".env").stdout == "[]\n"
    assert veche(tmp_path, "--env-file", ".env", "user", "list", "--json").stdout == "[]\n"
    refused = veche(tmp_path, "doctor", "--env-file", "none")
    assert refused.returncode == 1
    assert "none cannot be read: No such file or directory." in refused.stderr


def test_every_command_that_opens_a_database_takes_a_file() -> None:
    without = [name for name, names in _commands(get_command(app)) if names and "--env-file" not in names]
    assert without == []


def _commands(command: Any, name: str = "veche") -> Iterator[tuple[str, set[str]]]:
    if subcommands := getattr(command, "commands", None):
        for one, found in subcommands.items():
            yield from _commands(found, f"{name} {one}")
    else:
        yield name, {option for parameter in command.params for option in parameter.opts}


@pytest.mark.slow
def test_copy_takes_what_is_not_given_from_the_settings(tmp_path: Path) -> None:
    veche(tmp_path, "migrate")
    (tmp_path / "to").mkdir()
    (tmp_path / "settings").write_text("VECHE_DATABASE_URL=sqlite:///to/other.db\n")
    done = veche(tmp_path, "copy", "--from", "sqlite:///data/veche.db", "--env-file", "settings")
    assert f"Copied {tmp_path}/data/veche.db to {tmp_path}/to/other.db" in done.stdout
    assert "Give --from or --to." in veche(tmp_path, "copy", "--env-file", "settings").stderr


@pytest.mark.slow
def test_an_unknown_name_in_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("VECHE_PROT=1\n")
    assert (
        "There is no setting VECHE_PROT. Did you mean VECHE_PORT?" in veche(tmp_path, "serve", "--env-file", "x").stderr
    )


def test_the_example_sets_nothing_and_prints_no_secret() -> None:
    example = ROOT / ".env.example"
    assert set(parse(example.read_text(encoding="utf-8"), "x").values()) == {""}


def veche(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_veche(*words, folder=folder)
