"""The settings of the whole server. Reads them, and the options of each dialect, from the environment."""

import difflib
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from veche.gateway.dialect import AnyDialect
from veche.gateway.legacy import LegacyError
from veche.gateway.options import DialectOptions, Setting, settings_of
from veche.gateway.secret_files import SECRET, SUFFIX, SecretFileError, read_secrets
from veche.gateway.weakness import is_weak
from veche.legacy import LEGACY, leave_out_ignored, read_all
from veche.storage.database import DEFAULT_URL
from veche.wire.origins import normal_origin
from veche.wire.proxy import Trusted

logger = logging.getLogger("veche")

NOT_SETTINGS = frozenset({"VECHE_TEST_CRASH_AT", "VECHE_CHROMIUM"})  # names that begin with PREFIX, for tests only
PREFIX = "VECHE_"  # of the server's settings; `prefix_of` returns the prefix of a dialect's settings

MIN_SECRET_BYTES = 32
TOO_WEAK = "is too weak: give 32 bytes or more that nobody can guess, for example of `openssl rand -hex 32`"

ModelT = TypeVar("ModelT", bound=BaseModel)


class SettingsError(Exception):
    """A setting is wrong. The message says which one, and what to do."""


def _split_by_commas(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


CommaSeparated = Annotated[tuple[str, ...], BeforeValidator(_split_by_commas)]


class ServerSettings(BaseModel):
    """The settings of the whole server. A field is read from the environment variable VECHE_<FIELD>."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 picks a free one.")
    bind: CommaSeparated = Field(
        (),
        description="Several addresses to listen on, as HOST:PORT separated by commas. "
        "If it is set, `VECHE_HOST` and `VECHE_PORT` are ignored.",
    )
    database_url: Annotated[str, SECRET] = Field(
        DEFAULT_URL,
        repr=False,
        description="The database, as sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME. "
        "The folder of an SQLite database has to exist, except for the default.",
    )
    database_may_lose: bool = Field(
        False,
        description="Whether a PostgreSQL may be used that does not store a commit before it reports it "
        "(`fsync`, `full_page_writes` or `synchronous_commit` is off).",
    )
    bus_url: Annotated[str, SECRET] = Field(
        "",
        repr=False,
        description="How nodes that share a PostgreSQL tell each other what they have committed (see bus.md): "
        "redis://HOST:PORT or rediss://HOST:PORT, postgresql for the database itself, or postgresql:// with another "
        "address. Without it the server has one node.",
    )
    workers: int = Field(
        1,
        ge=1,
        le=256,
        description="How many processes serve on this machine (see scaling.md). More than one need PostgreSQL and "
        "`VECHE_BUS_URL`.",
    )
    secret: Annotated[str | None, SECRET] = Field(
        None,
        repr=False,
        description="The secret that signs tokens, 32 bytes or more. "
        "Without it the server makes one and stores it beside the SQLite database, or in the PostgreSQL database.",
    )
    old_secret: Annotated[str | None, SECRET] = Field(
        None,
        repr=False,
        description="The secret before, while it is being replaced: its tokens are still valid, and it signs no new "
        "ones (see operations.md).",
    )
    dialects: CommaSeparated = Field(
        (), description="The dialects to serve, separated by commas. Without it the server serves all of them."
    )
    origins: CommaSeparated = Field(
        (),
        description="Origins of web pages that may connect and read answers, such as `https://chat.example.com`, "
        "separated by commas. The page of this server always may. Without it, or with `*`, pages of all origins may, "
        "if they have a token.",
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses and networks of proxies whose X-Forwarded-For header is used, separated by commas. "
        "`*` means all.",
    )
    container: bool = Field(
        False,
        description="Whether the server runs in a container of Veche's image, which sets this. Then legacy names that "
        "give a database and no host mean the service `postgres`.",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        "info", description="The least level of lines in the log: `debug`, `info`, `warning` or `error`."
    )
    log_format: Annotated[Literal["text", "json"], BeforeValidator(_lower)] = Field(
        "text", description="How the lines of the log are written: as `text` for people, or each as one `json` object."
    )
    access_log: bool = Field(False, description="Whether each request is a line in the log, without its query.")
    docs: bool = Field(
        True,
        description="Whether the pages about the API are served: `/docs`, `/redoc` and `/openapi.json` about REST, "
        "`/docs/socket` and `/asyncapi.json` about the socket of native.",
    )
    wrong_logins_per_minute: int = Field(
        30,
        ge=1,
        le=100_000,
        description="How many wrong passwords one address may send at once, and again per minute.",
    )
    logins_per_minute: int = Field(
        600,
        ge=1,
        le=100_000,
        description="How many times one address may try to sign in at once, and again per minute, with any password.",
    )
    connections: int = Field(
        10_000,
        ge=10,
        le=1_000_000,
        description="How many connections the server may have. "
        "If there are too many, those on which nobody has signed in have to go.",
    )
    connections_per_account: int = Field(
        100,
        ge=1,
        le=1_000_000,
        description="How many clients one account may have, in all dialects together. "
        "If there are too many, the one that connected first has to go.",
    )
    guests_per_address: int = Field(
        500,
        ge=1,
        le=1_000_000,
        description="How many connections one address may have on which nobody has signed in. "
        "If there are too many, the one that was active the longest ago has to go.",
    )
    held_megabytes: int = Field(
        256,
        ge=8,
        le=1_000_000,
        description="How many megabytes the server may hold for all connections together: what clients have not read "
        "yet, and what they have sent and is not handled yet. If it is more, those with the most have to go.",
    )
    registrations_at_once: int = Field(
        300,
        ge=1,
        le=100_000,
        description="How many accounts one address may register at once. "
        "The default is for a company of 500 people behind one address, on its first day.",
    )
    registrations_per_minute: int = Field(
        30, ge=1, le=100_000, description="How many accounts one address may register per minute after these."
    )
    edit_seconds: int = Field(0, ge=0, le=10**9, description="Seconds for which a message may be edited. 0: always.")
    delete_seconds: int = Field(0, ge=0, le=10**9, description="Seconds for which an author may delete it. 0: always.")
    search: bool = Field(False, description="Whether messages are indexed, so that clients of native can search them.")
    files: str = Field("", description="The folder of uploaded files, the same for all nodes (see files.md).")
    file_megabytes: int = Field(50, ge=1, le=10_000, description="How many megabytes a file may have.")
    file_quota_megabytes: int = Field(2000, ge=1, le=10**8, description="The same for all files of one account.")
    unused_file_hours: int = Field(24, ge=1, le=10**4, description="Hours after which a file goes that nobody sends.")
    rooms_per_hour: int = Field(600, ge=1, le=1_000_000, description="How many rooms one account may make per hour.")
    members_per_hour: int = Field(
        5000, ge=100, le=1_000_000, description="How many people one account may put into rooms or invite per hour."
    )
    rooms_into_per_hour: int = Field(
        200,
        ge=1,
        le=1_000_000,
        description="Into how many rooms one person may be put by others per hour, "
        "at most half of them by one account. Direct rooms do not count.",
    )
    lookups_per_minute: int = Field(60, ge=1, le=10**6, description="How often an account may look people up a minute.")
    people_per_hour: int = Field(600, ge=1, le=10**6, description="People that it finds by a prefix per hour.")
    drain_seconds: float = Field(
        5.0,
        ge=0,
        le=600,
        description="Seconds over which a node that stops sends its clients away, if other nodes can take them. "
        "A node without others sends all of them away at once.",
    )
    ping_seconds: float = Field(25.0, gt=0, le=86_400, description="Seconds between two pings on a connection.")
    pong_seconds: float = Field(
        10.0,
        gt=0,
        le=86_400,
        description="Seconds that a client has to answer a ping. Must be less than `VECHE_PING_SECONDS`.",
    )
    stall_seconds: float = Field(
        30.0,
        gt=0,
        le=86_400,
        description="Seconds after which a connection is closed if the client reads none of the unsent data.",
    )

    @model_validator(mode="after")
    def _check_heartbeat(self) -> "ServerSettings":
        if self.pong_seconds >= self.ping_seconds:
            raise ValueError("VECHE_PONG_SECONDS must be less than VECHE_PING_SECONDS")
        return self

    @field_validator("secret", "old_secret")
    @classmethod
    def _check_secret(cls, value: str | None) -> str | None:
        if value is not None and is_weak(value, MIN_SECRET_BYTES):
            raise ValueError(TOO_WEAK)
        return value

    @field_validator("origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(normal_origin(origin) for origin in value))

    @field_validator("trusted_proxies")
    @classmethod
    def _check_trusted_proxies(cls, value: str) -> str:
        try:
            Trusted.parse(value)
        except ValueError as error:
            raise ValueError(f"takes addresses and networks: {error}") from None
        return value


class Settings(NamedTuple):
    """The settings of the server. `options` has the options of each dialect that is switched on, by its name."""

    server: ServerSettings
    options: Mapping[str, DialectOptions]

    @property
    def spoken_names(self) -> dict[str, str]:
        """The names that the server itself speaks as, by the setting that gives them."""
        return {
            f"{PREFIX}{dialect.upper()}_{field.upper()}": name
            for dialect, options in self.options.items()
            for field, name in options.spoken_names.items()
        }


def prefix_of(dialect: AnyDialect) -> str:
    """Return the prefix of a dialect's settings, such as VECHE_ROOMS_."""
    return f"{PREFIX}{dialect.name.upper()}_"


def _settings_with(dialects: Sequence[AnyDialect]) -> list[Setting]:
    """Return the settings of the server and of some dialects."""
    found = settings_of(ServerSettings, PREFIX)
    for dialect in dialects:
        found += settings_of(dialect.options, prefix_of(dialect))
    return found


def read_settings(
    declared: Sequence[AnyDialect], environ: Mapping[str, str] = os.environ, **overrides: object
) -> Settings:
    """Read all settings from the environment.

    `overrides` are fields of ServerSettings that come from the command line. They have priority. Settings of a dialect
    that is switched off are ignored. Raises SettingsError if a setting is unknown or wrong.
    """
    _refuse_unknown(declared, environ)
    environ = {name: value for name, value in environ.items() if value}  # empty is not set
    overridden = {f"{PREFIX}{field.upper()}": value for field, value in overrides.items() if value is not None}
    switched_on = _switched_on(declared, (environ | overridden).get("VECHE_DIALECTS"))
    of_files = _read_files(switched_on, environ, overridden)
    environ |= of_files
    given: dict[str, object] = environ | overridden
    given["VECHE_DIALECTS"] = tuple(dialect.name for dialect in switched_on)
    chosen = {name: value for name, value in overridden.items() if isinstance(value, str)}
    legacy, written = _read_legacy(switched_on, environ | chosen)
    written = {name: one for name, one in written.items() if name not in given}
    written |= {name: name + SUFFIX for name in of_files}
    leave_out_ignored(given, legacy)
    if "VECHE_SECRET" in legacy and "VECHE_SECRET" not in given:
        name = written["VECHE_SECRET"]
        logger.warning("tokens are signed with %s; set VECHE_SECRET instead, with 32 bytes or more", name)
    errors: list[str] = []
    server = _read(ServerSettings, PREFIX, given, legacy, written, errors)
    options: dict[str, DialectOptions] = {}
    for dialect in switched_on:
        if (read := _read(dialect.options, prefix_of(dialect), given, legacy, written, errors)) is not None:
            options[dialect.name] = read
    if server is None or errors:
        raise SettingsError("\n".join(errors))
    return Settings(server, options)


def read_legacy(switched_on: Sequence[AnyDialect], environ: Mapping[str, str]) -> dict[str, object]:
    """Read the legacy names. Return values by VECHE_ name. Raises SettingsError.

    Empty variables count as not set. The legacy names of the server have priority over those of dialects. Those of a
    dialect that is switched off are ignored, also if they would set the address or the secret of the server.
    """
    return _read_legacy(switched_on, environ)[0]


def _read_legacy(
    switched_on: Sequence[AnyDialect], environ: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str]]:
    """Return the values of the legacy names by VECHE_ name, and by VECHE_ name what the operator wrote instead."""
    try:
        return read_all([*(dialect.legacy for dialect in switched_on), LEGACY], environ)
    except LegacyError as error:
        raise SettingsError(str(error)) from None


def _read_files(
    switched_on: Sequence[AnyDialect], environ: Mapping[str, str], overridden: Collection[str]
) -> dict[str, str]:
    """Return the secrets that are in files, by the name of their setting. Raises SettingsError."""
    names = [name for setting in _settings_with(switched_on) if setting.secret for name in setting.names]
    legacy = {
        name: means
        for one in (*(dialect.legacy for dialect in switched_on), LEGACY)
        for name, means in one.secrets.items()
    }
    try:
        return read_secrets(names, legacy, environ, overridden)
    except SecretFileError as error:
        raise SettingsError(str(error)) from None


def _refuse_unknown(declared: Sequence[AnyDialect], environ: Mapping[str, str]) -> None:
    settings = _settings_with(declared)
    known = {name for setting in settings for name in setting.names}
    known |= {name + SUFFIX for setting in settings if setting.secret for name in setting.names}
    for name in environ:
        if name.upper().startswith(PREFIX) and name not in known | NOT_SETTINGS:
            close = difflib.get_close_matches(name.upper(), known, n=1)
            raise SettingsError(f"There is no setting {name}.{f' Did you mean {close[0]}?' if close else ''}")


def _switched_on(declared: Sequence[AnyDialect], chosen: object) -> list[AnyDialect]:
    """Return the dialects that are named in `chosen`, the value of VECHE_DIALECTS. None means all of them.

    They are in the order of `declared`.
    """
    names = [dialect.name for dialect in declared]
    wanted = names if chosen is None else _split_by_commas(chosen)
    if not isinstance(wanted, Collection) or not wanted or not set(wanted) <= set(names):
        raise SettingsError(f"VECHE_DIALECTS takes some of {', '.join(names)}, separated by commas.")
    return [dialect for dialect in declared if dialect.name in wanted]


def _read(
    model: type[ModelT],
    prefix: str,
    given: Mapping[str, object],
    legacy: Mapping[str, object],
    written: Mapping[str, str],
    errors: list[str],
) -> ModelT | None:
    """Validate the settings of a model. `given` has priority over `legacy`.

    `written` has what the operator wrote instead of a name.
    If a setting is wrong, append a sentence for each error to `errors`, and return None.
    """
    names, values = {}, {}
    for setting in settings_of(model, prefix):
        name = next((name for name in setting.names if name in given), setting.name)
        source = given if name in given else legacy
        names[setting.field] = written.get(name, name)
        if name in source:
            values[setting.field] = source[name]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        errors += [_error_sentence(names, detail["loc"], detail["msg"]) for detail in error.errors()]
        return None


def _error_sentence(names: Mapping[str, str], loc: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    message = message.replace(
        "Input should be a valid boolean, unable to interpret input", "takes true, yes, on or 1, or false, no, off or 0"
    )
    message = message.replace("Input should be", "has to be")
    return f"{names[str(loc[0])]} {message[0].lower()}{message[1:]}." if loc else f"{message}."
