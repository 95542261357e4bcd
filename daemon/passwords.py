"""Passwords, sessions, one-time links and tokens: how secrets are made and compared. Only hashes are stored."""

import secrets
from hashlib import sha256

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

TOKEN_PREFIX = "rm_"
PASSWORD_CHARS_MIN = 8
PASSWORD_CHARS_MAX = 1024
_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash(secrets.token_hex(16))


def new_secret() -> str:
    """256 random bits, as text."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored of a random secret. A plain hash is enough where the secret has 256 bits."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


def hash_password(password: str) -> str:
    """Argon2id, with a salt of its own."""
    if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
        raise ValueError(f"a password needs {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")
    return _HASHER.hash(password)


def check_password(stored: str | None, password: str) -> bool:
    """Takes as long for a user who does not exist as for one who does."""
    try:
        _HASHER.verify(stored or _NOBODY, password[:PASSWORD_CHARS_MAX])
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None
