"""Standard Webhooks: HMAC-SHA256 over `id.timestamp.body` (standardwebhooks.com, specification 1.0).

Secrets are written `whsec_` + base64; the prefix and the padding may be missing. A secret that is not base64 is taken as
its own bytes, for programs that can only paste a password. Several secrets may hold at once, for rotation. Everything in
the headers is hostile: what can't be read is Forged, with a reason that repeats nothing of it.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from connectors.base import Forged

TOLERANCE_SECONDS = 300
SIGNATURES_MAX = 20
PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """The key bytes of a secret as it is written in the configuration."""
    text = secret.removeprefix(PREFIX).strip()
    if not text:
        raise ValueError("a webhook secret is empty; give one of 24 random bytes or more, as whsec_ and base64")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return text.encode()


def sign_standard(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers that prove a message."""
    stamp = str(int(at.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + _signature(key_of(secret), message_id, stamp, body),
    }


def verify_standard(
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> str:
    """The id of a message that proves itself; raises Forged otherwise. Header names are in lower case."""
    if not secrets:
        raise Forged("this source has no secret, so nothing can prove itself to it; set `secret`")
    message_id = headers.get("webhook-id", "")
    stamp = headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "")
    if not (message_id and stamp and given):
        raise Forged("the headers webhook-id, webhook-timestamp and webhook-signature are needed")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise Forged("webhook-timestamp is not a number of seconds")
    if abs(now.timestamp() - int(stamp)) > tolerance_seconds:
        raise Forged(f"webhook-timestamp is more than {tolerance_seconds} s away from our clock; is yours right?")
    candidates = [part[3:] for part in given.split(" ")[:SIGNATURES_MAX] if part.startswith("v1,")]
    matched = False
    for secret in secrets:
        expected = _signature(key_of(secret), message_id, stamp, body).encode()
        for candidate in candidates:
            matched |= hmac.compare_digest(expected, candidate.encode("utf-8", "surrogateescape"))
    if not matched:
        raise Forged("webhook-signature does not fit the body and this source's secret")
    return message_id


def _signature(key: bytes, message_id: str, stamp: str, body: bytes) -> str:
    signed = f"{message_id}.{stamp}.".encode("utf-8", "surrogateescape") + body
    return base64.b64encode(hmac.new(key, signed, sha256).digest()).decode("ascii")
