"""Certificates for a server on 127.0.0.1, made by `openssl` for a day."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.services.service import MissingError


@dataclass(frozen=True)
class Files:
    """The PEM files of an authority's certificate, and of a server's certificate and key."""

    ca: Path
    certificate: Path
    key: Path


def make(folder: Path) -> Files:
    """Make an authority, and a certificate of it for 127.0.0.1 and localhost. Raises MissingError."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise MissingError("openssl is missing. Install your system's package (Debian: `apt-get install openssl`).")
    ca, key = folder / "ca.pem", folder / "key.pem"
    new = (openssl, "req", "-x509", "-nodes", "-days", "1", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    authority = ("-subj", "/CN=veche tests", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    server = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    signed = ("-CA", str(ca), "-CAkey", str(folder / "ca.key"), "-addext", "basicConstraints=critical,CA:FALSE")
    for words in (
        (*new, *authority, "-keyout", str(folder / "ca.key"), "-out", str(ca)),
        (*new, *server, *signed, "-keyout", str(key), "-out", str(folder / "cert.pem")),
    ):
        subprocess.run(words, check=True, capture_output=True)
    return Files(ca, folder / "cert.pem", key)
