"""The settings of one dialect, as a typed model that `dialects/<name>/options.py` declares."""

from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

TokenSeconds = Annotated[int, Field(ge=1, description="How long a token of this dialect lives.")]


class Alias(NamedTuple):
    """An older name of a setting that is still understood: `Annotated[bool, Alias("VECHE_OLD_NAME")]`."""

    name: str


class DialectOptions(BaseModel):
    """The base of each dialect's options.

    A field is read from the environment as `VECHE_`, the name of the dialect, `_` and the name of the field. It has a
    default, its bounds, and a description, which docs/settings.md shows. Each dialect gives `token_seconds` a default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_seconds: TokenSeconds
