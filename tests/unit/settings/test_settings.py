"""Reading the settings of the server and of all dialects from the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

import veche.dialects
from veche.app import DIALECTS, Server
from veche.dialects.channels.options import Options as ChannelsOptions
from veche.dialects.rooms.options import Options as RoomsOptions
from veche.gateway.dialect import AnyDialect, Dialect, Mounted, Parts
from veche.gateway.legacy import Legacy
from veche.gateway.options import Alias, DialectOptions, TokenSeconds
from veche.settings import (
    PREFIX,
    ServerSettings,
    Setting,
    SettingsError,
    prefix_of,
    read_settings,
    settings_of,
)
from veche.storage.database import Database

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
    database = Database(f"sqlite:///{tmp_path / 'veche.db'}", serving=True)
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
NOT_AN_INTEGER = "input should be a valid integer, unable to parse string as an integer."


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ("VECHE_ROOM_ERROR_NAME=a", "There is no setting VECHE_ROOM_ERROR_NAME. Did you mean VECHE_ROOMS_ERROR_NAME?"),
        ("veche_port=1", "There is no setting veche_port. Did you mean VECHE_PORT?"),
        ("VECHE_QQQQQQQQQQQQQQQQ=1", "There is no setting VECHE_QQQQQQQQQQQQQQQQ."),
        ("VECHE_ROOMS_TEXT_BYTES=0", "VECHE_ROOMS_TEXT_BYTES input should be greater than or equal to 1."),
        ("VECHE_DISPATCH_TOKEN_SECONDS=x", f"VECHE_DISPATCH_TOKEN_SECONDS {NOT_AN_INTEGER}"),
        ("VECHE_PORT=70000", "VECHE_PORT input should be less than or equal to 65535."),
        ("VECHE_SECRET=x", "VECHE_SECRET is too weak: give 32 bytes or more, for example of `openssl rand -hex 32`."),
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
    with pytest.raises(SettingsError, match=r"^VECHE_NOISY input should be a valid boolean"):
        loud({"VECHE_NOISY": "very"})


def test_a_misspelt_alias_is_suggested() -> None:
    with pytest.raises(SettingsError, match="Did you mean VECHE_NOISY"):
        loud({"VECHE_NOISSY": "1"})


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
