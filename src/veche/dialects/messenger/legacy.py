"""Reads the legacy setting of the messenger dialect from the environment of its original server."""

from veche.gateway.legacy import Legacy, seconds_of_minutes

NAMES = {"JWT_EXPIRATION_TIME": "`VECHE_MESSENGER_TOKEN_SECONDS`, in minutes"}

LEGACY = Legacy(
    NAMES,
    lambda environ: {"VECHE_MESSENGER_TOKEN_SECONDS": seconds_of_minutes(environ, "JWT_EXPIRATION_TIME")},
    {"VECHE_MESSENGER_TOKEN_SECONDS": ("JWT_EXPIRATION_TIME",)},
)
