"""Ids of ours that prove themselves: a signed token that is the left part of our Message-IDs and of plus-addresses.

    Message-ID: <rm-TOKEN@example.org>        Reply-To: sales+rm-TOKEN@example.org

A token is a day and eight random bytes, followed by 16 bytes of HMAC-SHA256 with the secret key of the configuration
(`[login] secret_key`), in base32: 42 letters, short enough for a local part (RFC 5321 §4.5.3.1.1) and not to be guessed.
It names the one mail that was sent with it, wherever in a later mail it turns up: relays that write another Message-ID, and
programs that drop References, leave an address or a quotation alone. The domain beside it proves nothing and counts for
nothing.

Whoever has a token has seen the mail, or has got it from somebody who has: it opens a chain only to a mail with one person in
common (`threads`). An id of this shape whose signature is wrong was made up; it leads nowhere at all. A token is believed for
VALID_DAYS; later the id is an id like any other.
"""

import hmac
import re
from base64 import b32decode, b32encode
from collections.abc import Iterable
from datetime import UTC, datetime

VALID_DAYS = 400
TEXT_CHARS_MAX = 200_000
TOKENS_MAX = 20
LOCAL_CHARS_MAX = 64  # RFC 5321 §4.5.3.1.1

MARK = "rm-"
_RANDOM_BYTES, _DAY_BYTES, _PROOF_BYTES = 8, 2, 16
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_TOKEN = re.compile(r"(?<![a-z0-9-])rm-([a-z2-7]{42})(?![a-z0-9])", re.IGNORECASE)
_OWN_ID = re.compile(r"rm-[a-z2-7]{42}@", re.IGNORECASE)


def signing_key(secret: str) -> bytes:
    """What tokens are signed with, made of the secret key of the configuration; empty where there is none."""
    return hmac.digest(secret.encode(), b"ringmail: ids of mails, 1", "sha256") if secret else b""


def new_token(key: bytes, at: datetime, randomness: bytes) -> str:
    """The token of a mail that is sent at this time; the same for the same eight random bytes."""
    if not key or len(randomness) < _RANDOM_BYTES:
        raise ValueError("a token takes a key and eight random bytes")
    day = min(max((at - _EPOCH).days, 0), 2 ** (8 * _DAY_BYTES) - 1)
    said = day.to_bytes(_DAY_BYTES, "big") + randomness[:_RANDOM_BYTES]
    return MARK + b32encode(said + _proof(key, said)).decode().rstrip("=").lower()


def message_id(token: str, domain: str) -> str:
    """The Message-ID of the mail that has this token, without angle brackets."""
    return f"{token}@{domain}"


def plus_address(token: str, mailbox: str) -> str:
    """The address to answer to (RFC 5233 §1): the mailbox's own, with the token. Where that would be too long for a local
    part, the mailbox's address alone."""
    local, _, domain = mailbox.rpartition("@")
    whole = f"{local}+{token}"
    return f"{whole}@{domain}" if local and len(whole) <= LOCAL_CHARS_MAX else mailbox


def is_own_shape(one: str) -> bool:
    """Whether an id looks like one of ours; whether it is one, only `proved` tells."""
    return _OWN_ID.match(one) is not None


def token_of(one: str) -> str:
    """The token of an id that has the shape of ours."""
    return one.partition("@")[0].lower()


def proved(token: str, key: bytes, at: datetime | None = None) -> bool:
    """Whether we have made this token; with `at`, whether it is to be believed then. The same time for every wrong one."""
    try:
        whole = b32decode(token.removeprefix(MARK).upper() + "======")
    except ValueError:
        return False
    said, proof = whole[: _DAY_BYTES + _RANDOM_BYTES], whole[_DAY_BYTES + _RANDOM_BYTES :]
    if not key or not hmac.compare_digest(proof, _proof(key, said)):
        return False
    return at is None or (at - _EPOCH).days - int.from_bytes(said[:_DAY_BYTES], "big") <= VALID_DAYS


def tokens_in(texts: Iterable[str], key: bytes, at: datetime) -> tuple[str, ...]:
    """The believed tokens anywhere in these texts, in order, each once."""
    found: dict[str, None] = {}
    for text in texts:
        some = text[:TEXT_CHARS_MAX]
        if MARK not in some and MARK.upper() not in some:
            continue
        for match in _TOKEN.finditer(some):
            token = match.group(0).lower()
            if token not in found and proved(token, key, at):
                found[token] = None
                if len(found) == TOKENS_MAX:
                    return tuple(found)
    return tuple(found)


def _proof(key: bytes, said: bytes) -> bytes:
    return hmac.digest(key, b"mail\x00" + said, "sha256")[:_PROOF_BYTES]
