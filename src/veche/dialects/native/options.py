"""The settings of the native dialect."""

from pydantic import Field, model_validator

from veche.gateway.options import MAX_SECONDS, DialectOptions, TokenSeconds
from veche.service.refreshing import Lifetimes


class Options(DialectOptions):
    """Read from `VECHE_NATIVE_*`."""

    token_seconds: TokenSeconds = 24 * 3600
    access_seconds: int = Field(
        900,
        ge=1,
        le=MAX_SECONDS,
        description="The lifetime of an access token of a client that has a refresh token, in seconds (see native.md).",
    )
    refresh_seconds: int = Field(
        30 * 24 * 3600,
        ge=2,
        le=MAX_SECONDS,
        description="How many seconds after its last refresh such a session ends. "
        "Must be more than `VECHE_NATIVE_ACCESS_SECONDS`.",
    )

    @model_validator(mode="after")
    def _check_lifetimes(self) -> "Options":
        if self.access_seconds >= self.refresh_seconds:
            raise ValueError("VECHE_NATIVE_ACCESS_SECONDS must be less than VECHE_NATIVE_REFRESH_SECONDS")
        return self

    @property
    def refreshed(self) -> Lifetimes:
        """The lifetimes of sessions that are refreshed."""
        return Lifetimes(self.access_seconds, self.refresh_seconds)
