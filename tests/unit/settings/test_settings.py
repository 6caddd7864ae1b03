"""Reading the settings of the server and of all dialects from the environment."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Annotated

import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

import veche.dialects
from veche.app import DIALECTS, Server
from veche.dialects.channels.options import Options as ChannelsOptions
from veche.dialects.rooms.options import Options as RoomsOptions
from veche.gateway.dialect import AnyDialect, Dialect, Mounted, Parts
from veche.gateway.legacy import FALSE_WORDS, TRUE_WORDS, Legacy, in_container
from veche.gateway.options import Alias, DialectOptions, Setting, TokenSeconds, settings_of
from veche.legacy import LEGACY
from veche.settings import (
    PREFIX,
    TOO_WEAK,
    ServerSettings,
    SettingsError,
    prefix_of,
    read_settings,
)
from veche.storage.database import DatabaseError
from veche.storage.kinds.sqlite_database import SqliteDatabase, sqlite_path

FOLDERS = {path.parent.name for path in Path(veche.dialects.__file__).parent.glob("*/dialect.py")}


class Options(DialectOptions):
    token_seconds: TokenSeconds = 60
    loud: Annotated[bool, Alias("VECHE_LOUD"), Alias("VECHE_NOISY")] = Field(False, description="Be loud.")


def mount(parts: Parts, options: Options) -> Mounted:
    return Mounted("shout", about="loud" if options.loud else "not loud")


SHOUT = Dialect("shout", Options, mount, Legacy({"LOUD": "x"}, lambda env: {"VECHE_SHOUT_LOUD": env.get("LOUD")}))
TWO: list[AnyDialect] = [SHOUT, *DIALECTS[:1]]


def loud(environ: dict[str, str]) -> bool:
    options = read_settings(TWO, environ).options["shout"]
    assert isinstance(options, Options)
    return options.loud


def every_setting() -> list[Setting]:
    found = settings_of(ServerSettings, PREFIX)
    return found + [setting for one in DIALECTS for setting in settings_of(one.options, prefix_of(one))]


def test_each_dialect_folder_is_in_dialects_once() -> None:
    assert sorted(dialect.name for dialect in DIALECTS) == sorted(FOLDERS)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_dialect_declares_its_own_options(dialect: AnyDialect) -> None:
    assert dialect.options.__module__ == f"veche.dialects.{dialect.name}.options"
    assert dialect.options().token_seconds > 0


@pytest.mark.parametrize("setting", every_setting(), ids=lambda setting: setting.name)
def test_a_setting_has_a_default_and_a_description(setting: Setting) -> None:
    assert setting.description.endswith(".")
    assert setting.default is None or isinstance(setting.default, str | int | float | bool | tuple)


def test_setting_names_are_unique() -> None:
    names = [name for setting in every_setting() for name in (setting.name, *setting.aliases)]
    assert len(names) == len(set(names))


def test_a_dialect_is_mounted_under_the_name_that_it_declares(tmp_path: Path) -> None:
    database = SqliteDatabase(f"sqlite:///{tmp_path / 'veche.db'}", serving=True)
    database.migrate()
    server = Server(read_settings(DIALECTS, {}), database)
    assert [mounted.name for mounted in server.dialects] == [dialect.name for dialect in DIALECTS]
    server.passwords.stop()
    server.reader.stop()
    database.close()


def test_the_defaults() -> None:
    settings = read_settings(DIALECTS, {})
    assert settings.server.dialects == ("native", "dispatch", "rooms", "socketio", "channels", "messenger")
    assert {name: options.token_seconds for name, options in settings.options.items()} == {
        "native": 86_400,
        "dispatch": 60,
        "rooms": 86_400,
        "socketio": 604_800,
        "channels": 1800,
        "messenger": 216_000,
    }


def test_settings_of_the_server_and_of_a_dialect_are_read() -> None:
    environ = {"VECHE_PORT": "81", "VECHE_ORIGINS": "https://a, https://b", "VECHE_ROOMS_TEXT_BYTES": "7"}
    settings = read_settings(DIALECTS, environ, host="::1", port=None)
    assert (settings.server.host, settings.server.port) == ("::1", 81)
    assert settings.server.origins == ("https://a", "https://b")
    assert settings.options["rooms"] == RoomsOptions(text_bytes=7)


@pytest.mark.parametrize("chosen", ["rooms,native", " native , rooms,", "rooms,rooms,native"])
def test_the_dialects_that_are_switched_on_keep_their_order(chosen: str) -> None:
    settings = read_settings(DIALECTS, {"VECHE_DIALECTS": chosen})
    assert settings.server.dialects == tuple(settings.options) == ("native", "rooms")


ONLY = "VECHE_DIALECTS takes some of native, dispatch, rooms, socketio, channels, messenger, separated by commas."
NOT_AN_INTEGER = "has to be a valid integer, unable to parse string as an integer."


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ("VECHE_ROOM_ERROR_NAME=a", "There is no setting VECHE_ROOM_ERROR_NAME. Did you mean VECHE_ROOMS_ERROR_NAME?"),
        ("veche_port=1", "There is no setting veche_port. Did you mean VECHE_PORT?"),
        ("VECHE_QQQQQQQQQQQQQQQQ=1", "There is no setting VECHE_QQQQQQQQQQQQQQQQ."),
        ("VECHE_ROOMS_TEXT_BYTES=0", "VECHE_ROOMS_TEXT_BYTES has to be greater than or equal to 1."),
        ("VECHE_DISPATCH_TOKEN_SECONDS=x", f"VECHE_DISPATCH_TOKEN_SECONDS {NOT_AN_INTEGER}"),
        ("VECHE_PORT=70000", "VECHE_PORT has to be less than or equal to 65535."),
        ("VECHE_SECRET=x", f"VECHE_SECRET {TOO_WEAK}."),
        ("VECHE_PING_SECONDS=5", "VECHE_PONG_SECONDS must be less than VECHE_PING_SECONDS."),
        ("VECHE_DIALECTS=native,irc", ONLY),
        ("VECHE_DIALECTS=,", ONLY),
        ("VECHE_ECHO_UPSTREAM=http://x", "VECHE_ECHO_UPSTREAM string should match pattern '^wss?://'."),
        (
            "VECHE_PORT=x VECHE_ROOMS_TEXT_BYTES=y",
            f"VECHE_PORT {NOT_AN_INTEGER}\nVECHE_ROOMS_TEXT_BYTES {NOT_AN_INTEGER}",
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_a_sentence(environ: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(DIALECTS, dict(item.split("=", 1) for item in environ.split(" ")))
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    "ignored",
    [
        {"VECHE_ROOMS_TEXT_BYTES": "900"},
        {"VECHE_ROOMS_TEXT_BYTES": "not a number"},
        {"VECHE_ECHO_PROXY": "perhaps"},
        {"CONFIG_PATH": "/nowhere/config.yaml"},
        {"JWT_EXPIRATION_TIME": "soon"},
    ],
)
def test_settings_of_a_dialect_that_is_switched_off_are_ignored(ignored: dict[str, str]) -> None:
    settings = read_settings(DIALECTS, {"VECHE_DIALECTS": "native", **ignored})
    assert settings == read_settings(DIALECTS, {"VECHE_DIALECTS": "native"})
    assert list(settings.options) == ["native"]


def test_a_misspelt_setting_of_a_dialect_that_is_switched_off_is_refused() -> None:
    with pytest.raises(SettingsError, match="Did you mean VECHE_ROOMS_TEXT_BYTES"):
        read_settings(DIALECTS, {"VECHE_DIALECTS": "native", "VECHE_ROOMS_TEXT_BYTE": "1"})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"VECHE_SHOUT_LOUD": "true"}, True),
        ({"VECHE_LOUD": "1"}, True),
        ({"VECHE_NOISY": "1"}, True),
        ({"LOUD": "1"}, True),
        ({"VECHE_SHOUT_LOUD": "false", "VECHE_LOUD": "true"}, False),
        ({"VECHE_LOUD": "false", "VECHE_NOISY": "true"}, False),
        ({"VECHE_NOISY": "false", "LOUD": "1"}, False),
    ],
)
def test_an_alias_has_priority_between_the_main_name_and_legacy_names(environ: dict[str, str], expected: bool) -> None:
    assert loud(environ) is expected


def test_a_refusal_names_the_alias_that_was_set() -> None:
    with pytest.raises(SettingsError, match=r"^VECHE_NOISY takes true, yes, on or 1, or false, no, off or 0"):
        loud({"VECHE_NOISY": "very"})


def test_a_misspelt_alias_is_suggested() -> None:
    with pytest.raises(SettingsError, match="Did you mean VECHE_NOISY"):
        loud({"VECHE_NOISSY": "1"})


@pytest.mark.parametrize("word", [*TRUE_WORDS, *FALSE_WORDS])
def test_a_boolean_takes_the_words_of_the_page(word: str) -> None:
    for one in (word, word.upper()):
        server = read_settings(DIALECTS, {"VECHE_DOCS": one, "VECHE_CONTAINER": one}).server
        assert server.docs is server.container is (word in TRUE_WORDS)
        assert in_container({"VECHE_CONTAINER": one}) is (word in TRUE_WORDS)


def test_the_echo_keeps_its_older_names() -> None:
    upstream = {"VECHE_ECHO_PROXY": "1", "VECHE_ECHO_UPSTREAM": "ws://up", "VECHE_ECHO_UPSTREAM_GREETS": "no"}
    options = read_settings(DIALECTS, upstream).options["channels"]
    assert options == ChannelsOptions(echo_proxy=True, echo_upstream="ws://up", echo_upstream_greets=False)
    assert isinstance(options, ChannelsOptions)
    assert options.upstream == ("ws://up", False)


def test_an_empty_setting_is_not_set() -> None:
    """Otherwise VECHE_HOST= would listen on all addresses."""
    names = [setting.name for setting in settings_of(ServerSettings, PREFIX)]
    for dialect in DIALECTS:
        names += [setting.name for setting in settings_of(dialect.options, prefix_of(dialect))]
    assert read_settings(DIALECTS, dict.fromkeys(names, "")) == read_settings(DIALECTS, {})


NUMBERS = [
    (model, name)
    for model in (ServerSettings, *(dialect.options for dialect in DIALECTS))
    for name, info in model.model_fields.items()
    if info.annotation in (int, float)
]
HUGE = "99999999999999999999"


def bounds(model: type[BaseModel], name: str) -> tuple[list[float], list[float]]:
    found = model.model_fields[name].metadata
    low = [one.ge if isinstance(one, Ge) else one.gt for one in found if isinstance(one, Ge | Gt)]
    high = [one.le if isinstance(one, Le) else one.lt for one in found if isinstance(one, Le | Lt)]
    return low, high  # type: ignore[return-value]


@pytest.mark.parametrize(("model", "name"), NUMBERS)
def test_every_number_has_its_bounds(model: type[BaseModel], name: str) -> None:
    low, high = bounds(model, name)
    assert low
    assert high
    for value in (HUGE, "inf", "nan", f"-{HUGE}", "1e400", "9" * 5000):
        with pytest.raises(ValidationError):
            model.model_validate({name: value})


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_huge_lifetime_is_refused_at_the_start(dialect: AnyDialect) -> None:
    name = f"{prefix_of(dialect)}TOKEN_SECONDS"
    with pytest.raises(SettingsError, match=f"^{name} has to be less than or equal to"):
        read_settings(DIALECTS, {name: HUGE})


def test_origins_are_kept_as_browsers_write_them() -> None:
    environ = {"VECHE_ORIGINS": "HTTPS://Chat.Example.com:443/, http://localhost:3000,https://chat.example.com"}
    assert read_settings(DIALECTS, environ).server.origins == ("https://chat.example.com", "http://localhost:3000")


@pytest.mark.parametrize("text", ["foo", "chat.example.com", "https://a/b", "null", "https://a, foo"])
def test_an_origin_that_is_none_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^VECHE_ORIGINS '.*' is no origin: give one like https://"):
        read_settings(DIALECTS, {"VECHE_ORIGINS": text})


@pytest.mark.parametrize("text", ["10.0.0.0/33", "proxy", "10.0.0.1/8"])
def test_a_proxy_that_is_no_address_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^VECHE_TRUSTED_PROXIES takes addresses and networks: "):
        read_settings(DIALECTS, {"VECHE_TRUSTED_PROXIES": text})


STRONG = "6f1d0a7c3e9b48521f0e7d6c5b4a3928"


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{STRONG}\n")
    environ = {"VECHE_SECRET_FILE": str(path), "JWT_SECRET": "weak"}
    assert read_settings(DIALECTS, environ).server.secret == STRONG


@pytest.mark.parametrize("content", [b"a" * 40, b"changeme", b"", b"\xff" * 40])
def test_a_file_with_a_bad_secret_is_refused_and_its_content_not_shown(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"^VECHE_SECRET_FILE[ :]") as refused:
        read_settings(DIALECTS, {"VECHE_SECRET_FILE": str(path)})
    assert not content or content.decode("latin-1") not in str(refused.value)


def test_a_missing_file_and_two_secrets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_settings(DIALECTS, {"VECHE_SECRET_FILE": str(tmp_path / "none")})
    with pytest.raises(SettingsError, match="both set"):
        read_settings(DIALECTS, {"VECHE_SECRET_FILE": "x", "VECHE_SECRET": STRONG})


SENTINEL = "Sentinel8b1f"

IN_FILES = {
    "VECHE_SECRET": STRONG,
    "VECHE_OLD_SECRET": STRONG,
    "VECHE_DATABASE_URL": "sqlite:////srv/chat.db",
    "VECHE_BUS_URL": "rediss://:p@redis.example",
    "VECHE_CHANNELS_ECHO_UPSTREAM": "wss://me:upstream1@up.example",
    "VECHE_ECHO_UPSTREAM": "wss://me:upstream1@up.example",
    "DATABASE_URL": "postgresql://me:p@db/chat",
    "POSTGRES_PASSWORD": "a password with a blank ",
    "REDIS_PASSWORD": "a password with a blank ",
    "JWT_SECRET": STRONG,
    "SECRET_KEY": STRONG,
    "JWT_SECRET_KEY": STRONG,
}
"""Every setting that may have a secret in it, with a value."""


def test_every_setting_that_may_hold_a_secret_is_in_this_list() -> None:
    legacy = {name for one in (LEGACY, *(dialect.legacy for dialect in DIALECTS)) for name in one.names}
    settings = {name for setting in every_setting() for name in setting.names}
    suspicious = {name for name in legacy | settings if re.search(r"SECRET|PASSWORD|_URL$|UPSTREAM$|_KEY$", name)}
    assert suspicious == set(IN_FILES)


@pytest.mark.parametrize("name", IN_FILES)
def test_a_value_in_a_file_is_the_same_as_in_the_environment(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    path.write_text(f"{IN_FILES[name]}\n")
    path.chmod(0o400)
    (config := tmp_path / "config.yaml").write_text("{db: {host: db}, redis: {host: redis}}")
    more = {"CONFIG_PATH": str(config)} if name == "REDIS_PASSWORD" else {"POSTGRES_HOST": "db"}
    of_file = read_settings(DIALECTS, {f"{name}_FILE": str(path), **more})
    assert of_file == read_settings(DIALECTS, {name: IN_FILES[name], **more})
    assert of_file != read_settings(DIALECTS, more)


@pytest.mark.parametrize("name", IN_FILES)
@pytest.mark.parametrize("content", [b"", b"\n", b"\xff" * 40, b"a\0b", b"x" * 65_537, STRONG.encode() + b"\n# ours\n"])
def test_a_file_that_is_no_line_of_text_is_refused_with_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    for where in (path, tmp_path, tmp_path / "none"):
        with pytest.raises(SettingsError, match=rf"^{name}_FILE: .*\.$") as refused:
            read_settings(DIALECTS, {f"{name}_FILE": str(where)})
        assert str(where) in str(refused.value)
        assert len(str(refused.value)) < 300
    with pytest.raises(SettingsError, match=rf"^{name} and {name}_FILE are both set"):
        read_settings(DIALECTS, {f"{name}_FILE": str(path), name: IN_FILES[name]})


@pytest.mark.parametrize("name", ["VECHE_SECRET", "VECHE_OLD_SECRET", "JWT_SECRET", "VECHE_ECHO_UPSTREAM"])
def test_a_wrong_value_in_a_file_is_refused_by_the_name_of_the_file_and_not_shown(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    path.write_text("changeme1")
    with pytest.raises(SettingsError, match=rf"^{name}_FILE ") as refused:
        read_settings(DIALECTS, {f"{name}_FILE": str(path)})
    assert "changeme1" not in str(refused.value)


def test_a_file_whose_value_is_not_used_is_not_read(tmp_path: Path) -> None:
    gone = str(tmp_path / "none")
    environ = {"VECHE_DATABASE_URL": "sqlite:///x.db", "POSTGRES_PASSWORD_FILE": gone, "DATABASE_URL_FILE": gone}
    assert read_settings(DIALECTS, environ).server.database_url == "sqlite:///x.db"
    environ = {"VECHE_DATABASE_URL_FILE": gone}
    assert read_settings(DIALECTS, environ, database_url="sqlite:///y.db").server.database_url == "sqlite:///y.db"
    environ = {"VECHE_DIALECTS": "native", "VECHE_ECHO_UPSTREAM_FILE": gone}
    assert set(read_settings(DIALECTS, environ).options) == {"native"}


@pytest.mark.parametrize("name", ["VECHE_DATABASE_URL", "DATABASE_URL"])
@pytest.mark.parametrize(
    "url",
    [
        *("mysql://me:{}@db/chat", "postgresql://me:{}@db/chat", "oracle+x://me:{}@db", "{}", "sqlite://me:{}@db/x"),
        *("sqlite:/x/{}@", "://{}", "sqlite://{}", "redis://:{}@db:6379/0", "http://[{}"),
    ],
)
def test_no_message_shows_the_password_of_a_database(name: str, url: str) -> None:
    settings = read_settings(DIALECTS, {name: url.format(SENTINEL)})
    with pytest.raises(DatabaseError) as refused:
        sqlite_path(settings.server.database_url)
    assert SENTINEL not in str(refused.value)
    assert SENTINEL not in repr(settings)
    assert SENTINEL not in "".join(traceback.format_exception(refused.value))


@given(
    st.fixed_dictionaries(
        {}, optional={setting.name: st.text(max_size=30) | st.integers().map(str) for setting in every_setting()}
    )
)
def test_whatever_is_set_is_read_or_refused_with_sentences(environ: dict[str, str]) -> None:
    environ = {name: value for name, value in environ.items() if "\0" not in value} | {"VECHE_SECRET": SENTINEL * 3}
    said = ""
    try:
        said = repr(read_settings(DIALECTS, environ))
    except SettingsError as refused:
        said = str(refused)
        assert all(line.endswith(".") and line.startswith("VECHE_") for line in said.split("\n"))
    assert SENTINEL not in said


@pytest.mark.parametrize("url", ["sqlite:///:memory:", "sqlite:///%3Amemory%3A", "sqlite:///?x", "sqlite:///a%00b"])
def test_an_address_without_a_file_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(DatabaseError, match=r"Give a file|has to be like"):
        sqlite_path(url)
