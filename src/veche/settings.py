"""The settings of the server as a whole, and how the environment becomes these and the options of each dialect."""

import difflib
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from veche.gateway.dialect import AnyDialect
from veche.gateway.legacy import LegacyError
from veche.gateway.options import Alias, DialectOptions
from veche.legacy import LEGACY

NOT_SETTINGS = frozenset({"VECHE_TEST_CRASH_AT", "VECHE_CHROMIUM"})
SERVER = "VECHE_"  # how a setting of the server begins; one of a dialect has the dialect's name too

ModelT = TypeVar("ModelT", bound=BaseModel)


class SettingsError(Exception):
    """A setting is wrong; the message says which, and what to do."""


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Listed = Annotated[tuple[str, ...], BeforeValidator(_split)]


class ServerSettings(BaseModel):
    """What an operator may choose for the server as a whole. Each field is read as VECHE_ and its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 picks a free one.")
    bind: Listed = Field(
        (), description="Several addresses to listen on, HOST:PORT separated by commas; they win over host and port."
    )
    database_url: str = Field("sqlite:///data/veche.db", description="The database, sqlite:///PATH.")
    secret: str | None = Field(
        None,
        repr=False,
        description="Signs tokens, 32 bytes or more; without it one is made and kept beside the database.",
    )
    dialects: Listed = Field((), description="The dialects to serve, separated by commas; without it all of them.")
    origins: Listed = Field(
        (), description="Pages whose scripts may open a socket, separated by commas; none: any page that has a token."
    )
    trusted_proxies: str = Field(
        "", description="Addresses and networks whose X-Forwarded-For is believed, separated by commas; * for all."
    )
    wrong_logins_per_minute: int = Field(30, ge=1, description="Wrong passwords that one address may try.")
    logins_per_minute: int = Field(600, ge=1, description="Tries to sign in, right or wrong, that one address has.")
    ping_seconds: float = Field(25.0, gt=0, description="How often a connection is pinged.")
    pong_seconds: float = Field(10.0, gt=0, description="How long it may take to answer.")
    stall_seconds: float = Field(30.0, gt=0, description="How long a connection may read nothing of what waits for it.")

    @model_validator(mode="after")
    def _answerable(self) -> "ServerSettings":
        if self.pong_seconds >= self.ping_seconds:
            raise ValueError("VECHE_PONG_SECONDS must be less than VECHE_PING_SECONDS")
        return self

    @field_validator("secret")
    @classmethod
    def _strong(cls, value: str | None) -> str | None:
        if value is not None and len(value.encode()) < 32:
            raise ValueError("is too weak: give 32 bytes or more, for example of `openssl rand -hex 32`")
        return value


class Settings(NamedTuple):
    """What an operator chose for the server, and for each dialect that is switched on."""

    server: ServerSettings
    options: Mapping[str, DialectOptions]  # by the dialect's name


class Setting(NamedTuple):
    """One setting as an operator sees it: its name in the environment, older names, default, and sentence."""

    field: str
    name: str
    aliases: tuple[str, ...]
    default: object
    sentence: str


def prefix_of(dialect: AnyDialect) -> str:
    """Tell how the settings of a dialect begin."""
    return f"{SERVER}{dialect.name.upper()}_"


def settings_of(model: type[BaseModel], prefix: str) -> list[Setting]:
    """List the settings of a model."""
    return [
        Setting(
            field,
            f"{prefix}{field.upper()}",
            tuple(alias.name for alias in info.metadata if isinstance(alias, Alias)),
            info.default,
            info.description or "",
        )
        for field, info in model.model_fields.items()
    ]


def read_settings(
    declared: Sequence[AnyDialect], environ: Mapping[str, str] = os.environ, **overrides: object
) -> Settings:
    """Read the environment; `overrides` (from the command line, by field of ServerSettings) win.

    The settings of a dialect that is switched off are known and ignored. Raises SettingsError with a plain sentence.
    """
    _refuse_unknown(declared, environ)
    ours: dict[str, object] = dict(environ)
    ours |= {f"{SERVER}{field.upper()}": value for field, value in overrides.items() if value is not None}
    switched_on = _switched_on(declared, ours.get("VECHE_DIALECTS"))
    ours["VECHE_DIALECTS"] = tuple(dialect.name for dialect in switched_on)
    legacy = read_legacy(switched_on, environ)
    wrong: list[str] = []
    server = _read(ServerSettings, SERVER, ours, legacy, wrong)
    options: dict[str, DialectOptions] = {}
    for dialect in switched_on:
        if (read := _read(dialect.options, prefix_of(dialect), ours, legacy, wrong)) is not None:
            options[dialect.name] = read
    if server is None or wrong:
        raise SettingsError("\n".join(wrong))
    return Settings(server, options)


def read_legacy(switched_on: Sequence[AnyDialect], environ: Mapping[str, str]) -> dict[str, object]:
    """Give values for our names by what the legacy names say. Empty ones count as not set. Raises SettingsError.

    The server's names are read last, so that they win over the file of a dialect.
    """
    given = {name: value for name, value in environ.items() if value}
    found: dict[str, object] = {}
    try:
        for legacy in (*(dialect.legacy for dialect in switched_on), LEGACY):
            found |= {name: value for name, value in legacy.read(given).items() if value not in (None, "")}
    except LegacyError as error:
        raise SettingsError(str(error)) from None
    return found


def _refuse_unknown(declared: Sequence[AnyDialect], environ: Mapping[str, str]) -> None:
    settings = settings_of(ServerSettings, SERVER)
    for dialect in declared:
        settings += settings_of(dialect.options, prefix_of(dialect))
    known = {name for setting in settings for name in (setting.name, *setting.aliases)}
    for name in environ:
        if name.upper().startswith(SERVER) and name not in known | NOT_SETTINGS:
            close = difflib.get_close_matches(name.upper(), known, n=1)
            raise SettingsError(f"There is no setting {name}.{f' Did you mean {close[0]}?' if close else ''}")


def _switched_on(declared: Sequence[AnyDialect], chosen: object) -> list[AnyDialect]:
    """Find the dialects that VECHE_DIALECTS names, in the order in which they are declared; without it all."""
    names = [dialect.name for dialect in declared]
    wanted = names if chosen is None else _split(chosen)
    if not isinstance(wanted, Collection) or not wanted or not set(wanted) <= set(names):
        raise SettingsError(f"VECHE_DIALECTS takes some of {', '.join(names)}, separated by commas.")
    return [dialect for dialect in declared if dialect.name in wanted]


def _read(
    model: type[ModelT], prefix: str, ours: Mapping[str, object], legacy: Mapping[str, object], wrong: list[str]
) -> ModelT | None:
    """Make a model of what is given, our own names before legacy ones; None, and sentences in `wrong`, if it cannot."""
    named, values = {}, {}
    for setting in settings_of(model, prefix):
        name = next((name for name in (setting.name, *setting.aliases) if name in ours), setting.name)
        source = ours if name in ours else legacy
        named[setting.field] = name
        if name in source:
            values[setting.field] = source[name]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        wrong += [_sentence(named, detail["loc"], detail["msg"]) for detail in error.errors()]
        return None


def _sentence(named: Mapping[str, str], loc: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"{named[str(loc[0])]} {message[0].lower()}{message[1:]}." if loc else f"{message}."
