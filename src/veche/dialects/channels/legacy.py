"""The legacy names of the channels dialect: the environment of its original server."""

from collections.abc import Mapping

from veche.gateway.legacy import Legacy, seconds_of_minutes

TRUE = ("True", "true", "1")  # to the original; all else is false
REACHED_FROM_ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104

NAMES = {
    "APP_HOST": "with a name that one can reach, `VECHE_CHANNELS_HOST`",
    "APP_PORT": "its port",
    "ACCESS_TOKEN_EXPIRE_MINUTES": "`VECHE_CHANNELS_TOKEN_SECONDS`",
    "IS_PROXY": "`VECHE_CHANNELS_ECHO_PROXY`",
}


def _read(environ: Mapping[str, str]) -> dict[str, object]:
    return {
        "VECHE_CHANNELS_HOST": _linked(environ),
        "VECHE_CHANNELS_TOKEN_SECONDS": seconds_of_minutes(environ, "ACCESS_TOKEN_EXPIRE_MINUTES"),
        "VECHE_CHANNELS_ECHO_PROXY": environ["IS_PROXY"] in TRUE if "IS_PROXY" in environ else None,
    }


def _linked(environ: Mapping[str, str]) -> str | None:
    """Make the HOST:PORT that links name; an address that stands for all of a machine is none."""
    host = environ.get("APP_HOST", "")
    if host in REACHED_FROM_ANYWHERE:
        return None
    return f"{f'[{host}]' if ':' in host else host}:{environ.get('APP_PORT', '8000')}"


LEGACY = Legacy(NAMES, _read)
