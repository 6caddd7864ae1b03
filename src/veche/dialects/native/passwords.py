"""The rule for new passwords in the native dialect and on the command line (docs/decisions/0022)."""

import functools
from importlib.resources import files

from veche.core.errors import ChatError, Code
from veche.dialects.native.limits import MAX_PASSWORD_BYTES, MIN_PASSWORD
from veche.service.passwords import normal_form


def check_password(password: str, *own: str | None, field: str = "password") -> None:
    """Check a new password: 8 to 1,024 bytes, not a common one, not one of the account's `own` names. Raises ChatError.

    There are no rules about kinds of characters (OWASP ASVS 6.2). Existing passwords are never checked.
    """
    size = len(password.encode("utf-8", "surrogatepass"))
    if not MIN_PASSWORD <= size <= MAX_PASSWORD_BYTES:
        raise ChatError(Code.INVALID, f"A password has {MIN_PASSWORD} to {MAX_PASSWORD_BYTES} bytes.", field=field)
    tried = normal_form(password).casefold()
    if tried in _common() or tried in {normal_form(name).casefold() for name in own if name}:
        raise ChatError(Code.INVALID, "This password is among the first that anybody would try.", field=field)


@functools.cache
def _common() -> frozenset[str]:
    """Return the common passwords. `scripts/common_passwords.py` wrote the file."""
    text = (files("veche.dialects.native") / "common_passwords.txt").read_text(encoding="ascii")
    return frozenset(text.split())
