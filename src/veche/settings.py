"""Every setting, with its default and its sentence. Each is read from the environment as VECHE_ and its name."""

import difflib
import os
from typing import Annotated

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from veche.borrowed import BorrowedError, borrowed

NOT_SETTINGS = frozenset({"VECHE_TEST_CRASH_AT", "VECHE_CHROMIUM"})
ALL_DIALECTS = ("native", "dispatch", "rooms", "socketio", "channels", "messenger")


class SettingsError(Exception):
    """A setting is wrong; the message says which, and what to do."""


class Settings(BaseSettings):
    """What an operator may choose."""

    model_config = SettingsConfigDict(env_prefix="VECHE_", extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 picks a free one.")
    bind: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Several addresses to listen on, HOST:PORT separated by commas; they win over host and port."
    )
    database_url: str = Field("sqlite:///data/veche.db", description="The database, sqlite:///PATH.")
    secret: str | None = Field(
        None,
        repr=False,
        description="Signs tokens, 32 bytes or more; without it one is made and kept beside the database.",
    )
    dialects: Annotated[tuple[str, ...], NoDecode] = Field(
        ALL_DIALECTS, description="The contracts to serve, separated by commas."
    )
    origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Pages whose scripts may open a socket, separated by commas; none: any page that has a token."
    )
    trusted_proxies: str = Field(
        "", description="Addresses and networks whose X-Forwarded-For is believed, separated by commas; * for all."
    )
    native_token_seconds: int = Field(24 * 3600, ge=1, description="How long a token of the native contract lives.")
    dispatch_token_seconds: int = Field(60, ge=1, description="How long a token of dispatch lives.")
    rooms_token_seconds: int = Field(24 * 3600, ge=1, description="How long a token of rooms lives.")
    socketio_token_seconds: int = Field(7 * 24 * 3600, ge=1, description="How long a token of socketio lives.")
    channels_token_seconds: int = Field(30 * 60, ge=1, description="How long a token of channels lives.")
    messenger_token_seconds: int = Field(60 * 3600, ge=1, description="How long a token of messenger lives.")
    rooms_system_name: str = Field(
        "system", min_length=1, description="Who says in rooms that somebody joined or left (its pkg.system_username)."
    )
    rooms_error_name: str = Field(
        "error", min_length=1, description="Who tells a socket of rooms what it did wrong (its pkg.error_username)."
    )
    rooms_text_bytes: int = Field(
        2000, ge=1, le=65_536, description="How many bytes a message has in rooms (its websocket.msg_max_length)."
    )
    socketio_anonymous: bool = Field(
        False, description="Let people without a token into socketio, under whatever name they say, as its page needs."
    )
    channels_open_links: bool = Field(
        False, description="Let whoever knows a name in by its bare link, as long as that person is signed in."
    )
    channels_host: str = Field(
        "", description="The HOST:PORT that links to channels name; without it that of the request."
    )
    echo_proxy: bool = Field(False, description="Let an upstream WebSocket answer in the echo's place (also IS_PROXY).")
    echo_upstream: str = Field(
        "wss://echo.websocket.org", pattern="^wss?://", description="The upstream of the echo, a ws:// or wss:// URL."
    )
    echo_upstream_greets: bool = Field(
        True, description="Whether the upstream's first message on a connection is a greeting and no answer."
    )
    wrong_logins_per_minute: int = Field(30, ge=1, description="Wrong passwords that one address may try.")
    logins_per_minute: int = Field(600, ge=1, description="Tries to sign in, right or wrong, that one address has.")
    ping_seconds: float = Field(25.0, gt=0, description="How often a connection is pinged.")
    pong_seconds: float = Field(10.0, gt=0, description="How long it may take to answer.")
    stall_seconds: float = Field(30.0, gt=0, description="How long a connection may read nothing of what waits for it.")

    @field_validator("dialects")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not set(value) <= set(ALL_DIALECTS):
            raise ValueError(f"takes some of {', '.join(ALL_DIALECTS)}, separated by commas")
        return tuple(name for name in ALL_DIALECTS if name in value)

    @field_validator("bind", "origins", "dialects", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _answerable(self) -> "Settings":
        if self.pong_seconds >= self.ping_seconds:
            raise ValueError("VECHE_PONG_SECONDS must be less than VECHE_PING_SECONDS")
        return self

    @field_validator("secret")
    @classmethod
    def _strong(cls, value: str | None) -> str | None:
        if value is not None and len(value.encode()) < 32:
            raise ValueError("is too weak: give 32 bytes or more, for example of `openssl rand -hex 32`")
        return value


def read_settings(**overrides: object) -> Settings:
    """Read the environment; `overrides` (from the command line) win. Raises SettingsError with a plain sentence."""
    known = {f"VECHE_{name.upper()}" for name in Settings.model_fields}
    for name in os.environ:
        if name.startswith("VECHE_") and name not in known | NOT_SETTINGS:
            close = difflib.get_close_matches(name, known, n=1)
            raise SettingsError(f"There is no setting {name}.{f' Did you mean {close[0]}?' if close else ''}")
    given = _borrowed() | {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(dict(detail)) for detail in error.errors())) from None


def _borrowed() -> dict[str, object]:
    """Read what the older contracts' documents call a setting, where ours is not set."""
    try:
        found = borrowed(os.environ)
    except BorrowedError as error:
        raise SettingsError(str(error)) from None
    return {name: value for name, value in found.items() if f"VECHE_{name.upper()}" not in os.environ}


def _sentence(detail: dict[str, object]) -> str:
    loc = detail["loc"]
    message = str(detail["msg"]).removeprefix("Value error, ")
    if not isinstance(loc, tuple) or not loc:
        return f"{message}."
    name = str(loc[0]).upper()
    return f"VECHE_{name} {message[0].lower()}{message[1:]}."
