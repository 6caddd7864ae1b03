"""Which secrets are too weak to sign tokens with."""

from itertools import pairwise

MIN_DISTINCT = 6  # different bytes; sixteen random hexadecimal digits have fewer once in 30,000 times
CHECKED = 4096  # bytes of a secret that are looked at
KNOWN = frozenset(
    """
    secret dev-secret changeme change-me change_me secret-key secret_key your-secret-key your_secret_key your-secret
    supersecret super-secret super_secret secretpassword password password123 jwt_secret jwt-secret jwtsecret
    some_long_secret_key your-256-bit-secret your_jwt_secret_key your-super-secret-key your_super_secret_key
    my-secret-key my_secret_key mysecretkey supersecretkey super_secret_key default-secret-key insecure-secret-key
    default default-secret pass postgres mypass change-this changethis replace-me replaceme your_secret your_jwt_secret
    09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7
    60e564f55e8381869ecab0b9e87f5cf3154140d97e8c6275aed3c80676652e2e eyjhbgcioijiuzi1niisinr5cci6ikpxvcj9
    eyjhbgcioijiuzi1niisinr5cci6ikpxvcj9...
    """.split()
)
"""Examples that are printed in documents of the original servers, in tutorials and in templates. In lower case."""


def is_weak(secret: str, least: int) -> bool:
    """Return whether a secret has less than `least` bytes, is a known example, or has too little in it to be random."""
    found = secret.strip().encode("utf-8", "surrogateescape")
    if len(found) < least or secret.strip().lower() in KNOWN:
        return True
    found = found[:CHECKED]
    return len(set(found)) < MIN_DISTINCT or _repeats(found) or _counts(found)


def _repeats(found: bytes) -> bool:
    """Return whether a shorter text is written again and again, as in `passwordpasswordpass`."""
    return any(found[period:] == found[:-period] for period in range(1, len(found) // 2 + 1))


def _counts(found: bytes) -> bool:
    """Return whether each byte is the one before it plus the same number, as in `abcdefghijklmnop`."""
    return len({(after - before) % 256 for before, after in pairwise(found)}) == 1
