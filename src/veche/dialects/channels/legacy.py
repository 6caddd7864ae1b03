"""Reads the settings that were written for the server whose contract the channels dialect copies."""

from collections.abc import Mapping

from veche.gateway.legacy import Legacy, seconds_of_minutes

TRUE_VALUES = ("True", "true", "1")  # for the original, every other value is false
WILDCARD_ADDRESSES = ("", "0.0.0.0", "::")  # noqa: S104

NAMES = {
    "APP_HOST": "`VECHE_CHANNELS_HOST`; a wildcard address is ignored",
    "APP_PORT": "the port of `APP_HOST`",
    "ACCESS_TOKEN_EXPIRE_MINUTES": "`VECHE_CHANNELS_TOKEN_SECONDS`",
    "IS_PROXY": "`VECHE_CHANNELS_ECHO_PROXY`",
}


def _read(environ: Mapping[str, str]) -> dict[str, object]:
    return {
        "VECHE_CHANNELS_HOST": _link_host(environ),
        "VECHE_CHANNELS_TOKEN_SECONDS": seconds_of_minutes(environ, "ACCESS_TOKEN_EXPIRE_MINUTES"),
        "VECHE_CHANNELS_ECHO_PROXY": environ["IS_PROXY"] in TRUE_VALUES if "IS_PROXY" in environ else None,
    }


def _link_host(environ: Mapping[str, str]) -> str | None:
    """Return HOST:PORT for links, or None if APP_HOST is unset or a wildcard, to which no client can connect."""
    host = environ.get("APP_HOST", "")
    if host in WILDCARD_ADDRESSES:
        return None
    return f"{f'[{host}]' if ':' in host else host}:{environ.get('APP_PORT', '8000')}"


LEGACY = Legacy(
    NAMES,
    _read,
    {
        "VECHE_CHANNELS_HOST": ("APP_HOST",),
        "VECHE_CHANNELS_TOKEN_SECONDS": ("ACCESS_TOKEN_EXPIRE_MINUTES",),
        "VECHE_CHANNELS_ECHO_PROXY": ("IS_PROXY",),
    },
)
