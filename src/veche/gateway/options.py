"""What a setting is, and the base class for the settings of one dialect. `dialects/<name>/options.py` declares them."""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from veche.gateway.secret_files import SECRET
from veche.service.refreshing import Lifetimes

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
    def refreshed(self) -> Lifetimes | None:
        """The lifetimes of sessions that are refreshed. None: this dialect does not offer it."""
        return None

    @property
    def spoken_names(self) -> Mapping[str, str]:
        """The names that the server itself speaks as in this dialect, by their field. Nobody else may have them."""
        return {}


class Setting(NamedTuple):
    """One setting. `name` and `aliases` are environment variables. A `secret` may be in a file too: `<name>_FILE`."""

    field: str
    name: str
    aliases: tuple[str, ...]
    default: object
    description: str
    secret: bool

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


def settings_of(model: type[BaseModel], prefix: str) -> list[Setting]:
    """Return the settings that a model declares. Their names begin with `prefix`."""
    return [
        Setting(
            field,
            f"{prefix}{field.upper()}",
            tuple(alias.name for alias in info.metadata if isinstance(alias, Alias)),
            info.default,
            info.description or "",
            SECRET in info.metadata,
        )
        for field, info in model.model_fields.items()
    ]
