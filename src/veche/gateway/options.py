"""The base class for the settings of one dialect. `dialects/<name>/options.py` declares them."""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

MAX_SECONDS = 1_000_000_000  # some 31 years

TokenSeconds = Annotated[
    int, Field(ge=1, le=MAX_SECONDS, description="The lifetime of a token of this dialect, in seconds.")
]


class Alias(NamedTuple):
    """An older name of a setting that is still read: `Annotated[bool, Alias("VECHE_OLD_NAME")]`."""

    name: str


class DialectOptions(BaseModel):
    """The base class of each dialect's options.

    A field is read from the environment variable `VECHE_<DIALECT>_<FIELD>`. It needs a default, bounds, and a
    description for docs/settings.md. Each dialect gives `token_seconds` a default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_seconds: TokenSeconds

    @property
    def spoken_names(self) -> Mapping[str, str]:
        """The names that the server itself speaks as in this dialect, by their field. Nobody else may have them."""
        return {}
