"""What proves a request: a signature, the secret in its path, the network it comes from.

Standard Webhooks: HMAC-SHA256 over `id.timestamp.body` (standardwebhooks.com, specification 1.0).

A secret is written `whsec_` + base64; the padding may be missing. Without the prefix it may be base64 or any password:
since nobody can tell which a sender means (`openssl dgst -hmac` takes the letters as they are), both readings of it
prove a message. `key_of`, with which we sign, takes base64 where it can be base64. Several secrets may hold at once, for
rotation; an empty one is refused with ValueError, as is a `whsec_` that is not base64.

Everything in the headers is hostile: what can't be read is Forged, with a reason that repeats nothing of it. Signatures
are compared as text and in constant time, so that no second spelling of the same base64 passes. Versions other than
`v1` are skipped.
"""

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import unquote

from config.tables import Networks
from connectors.base import Forged

TOLERANCE_SECONDS = 300
SIGNATURES_MAX = 20
MESSAGE_ID_CHARS_MAX = 256
PREFIX = "whsec_"
_STAMP = re.compile(r"[0-9]{1,12}")


@lru_cache(maxsize=64)  # asked with every webhook
def keys_of(secret: str) -> tuple[bytes, ...]:
    """Every reading of a secret as it is written in the configuration, base64 first."""
    text = secret.strip()
    prefixed = text.startswith(PREFIX)
    text = text.removeprefix(PREFIX)
    if not text:
        raise ValueError("a webhook secret is empty; give one of 24 random bytes or more, as whsec_ and base64")
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:  # binascii.Error, or letters beyond ASCII
        decoded = b""
    if prefixed and not decoded:
        raise ValueError("a webhook secret begins with whsec_ but no base64 follows; copy the whole of it again")
    if prefixed:
        return (decoded,)
    plain = text.encode("utf-8", "surrogatepass")
    return (decoded, plain) if decoded else (plain,)


def key_of(secret: str) -> bytes:
    """The key that we sign with."""
    return keys_of(secret)[0]


def sign_standard(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers that prove a message."""
    stamp = str(int(at.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + _signature(key_of(secret), message_id, stamp, body),
    }


def verify_standard(
    secrets: str | Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> str:
    """The id of a message that proves itself; raises Forged otherwise. Header names are in lower case."""
    if not secrets:
        raise Forged("this source has no secret, so nothing can prove itself to it; set `secret`")
    keys = [key for one in ([secrets] if isinstance(secrets, str) else secrets) for key in keys_of(one)]
    message_id = headers.get("webhook-id", "")
    stamp = headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "")
    for name, value in (("webhook-id", message_id), ("webhook-timestamp", stamp), ("webhook-signature", given)):
        if not value:
            raise Forged(
                f"the header {name} is missing; webhook-id, webhook-timestamp and webhook-signature are needed"
            )
    if "." in message_id or len(message_id) > MESSAGE_ID_CHARS_MAX:
        # With a dot in it the same signature would fit another split of id, time and body.
        raise Forged(f"webhook-id has a dot or is longer than {MESSAGE_ID_CHARS_MAX} characters")
    if not _STAMP.fullmatch(stamp):
        raise Forged("webhook-timestamp is not a number of seconds")
    if abs(now.timestamp() - int(stamp)) > tolerance_seconds:
        raise Forged(f"webhook-timestamp is more than {tolerance_seconds} s away from our clock; is yours right?")
    candidates = [part[3:] for part in given.split(" ")[:SIGNATURES_MAX] if part.startswith("v1,")]
    matched = False
    for key in keys:
        expected = _signature(key, message_id, stamp, body).encode()
        for candidate in candidates:
            matched |= hmac.compare_digest(expected, candidate.encode("utf-8", "surrogatepass"))
    if not matched:
        raise Forged("webhook-signature does not fit the body and this source's secret")
    return message_id


def check_network(allowed: Networks, remote: str) -> None:
    """Raises Forged unless a request comes from one of these networks; none at all allows any."""
    if not allowed:
        return
    try:
        address = ip_address(remote)
    except ValueError:
        raise Forged("the address of the sender is not known, and `allow_from` names some; check the proxy") from None
    address = getattr(address, "ipv4_mapped", None) or address
    if not any(address in network for network in allowed):
        raise Forged(f"{address} is in none of the networks of `allow_from`; add it there if it is your PBX")


def names_secret(secrets: Sequence[str], rest: str) -> bool:
    """Whether a path ends in a secret, as it stands or percent-encoded. All are compared, in constant time."""
    path = rest.strip("/")
    last = path.rpartition("/")[2]
    spellings = {path, last, unquote(path), unquote(last)}  # base64 may have a slash in it
    found = False
    for secret in secrets:
        for spelling in spellings:
            found |= same(secret.strip(), spelling)
    return found


def same(expected: str, given: str) -> bool:
    """Whether two texts are equal, in constant time. An empty one is no proof of anything."""
    one, other = (text.encode("utf-8", "surrogatepass") for text in (expected, given))
    return hmac.compare_digest(one, other) and bool(one)


def _signature(key: bytes, message_id: str, stamp: str, body: bytes) -> str:
    signed = f"{message_id}.{stamp}.".encode("utf-8", "surrogatepass") + body
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")
