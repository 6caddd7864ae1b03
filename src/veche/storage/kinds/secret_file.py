"""The secret that signs tokens, in a file beside an SQLite database."""

import contextlib
import logging
import os
import secrets
from pathlib import Path

logger = logging.getLogger("veche")


def load_or_create_secret(path: Path) -> str:
    """Read the secret from a file beside the database. Create the file, with mode 0600, at the first start.

    A secret that is too short (the disk was full when it was written, for example) is replaced. This makes all tokens
    invalid: everybody has to sign in again.
    """
    if (found := read_secret(path)) is not None:
        return found
    if path.exists():
        logger.warning("the secret in %s was incomplete and has been replaced: everybody has to sign in again", path)
    write_secret(path, secret := secrets.token_hex(32))
    return secret


def read_secret(path: Path) -> str | None:
    """Return the secret in a file, or None if there is none, or if it is too short."""
    with contextlib.suppress(FileNotFoundError):
        if len(secret := path.read_text(encoding="ascii").strip()) >= 32:
            return secret
    return None


def write_secret(path: Path, secret: str) -> None:
    """Store a secret in a file with mode 0600. It is on disk when this returns."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
