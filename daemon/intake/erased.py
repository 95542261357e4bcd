"""Mails that stay out because a person was erased: those that were erased themselves and come again from another place,
and older ones of an erased address that were never seen before. Their bytes are not kept; their places are, so that they
are not fetched again (`daemon.erasing`)."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from interactions.admission import ReadMail, mail_participants
from interactions.records import Key
from storage import erased, records
from storage.database import Connection


def hash_of(key: bytes, address: Key) -> bytes:
    """By which an address is known again without being kept."""
    return hmac.digest(key, f"{address.kind.value}:{address.value}".encode(), sha256)


async def kept_out(db: Connection, mails: Sequence[ReadMail], keys: Sequence[bytes]) -> list[ReadMail]:
    """Which of these mails stay out."""
    ids = await records.find_by_origin(db, "mail", [read.identity for read in mails])
    gone = await erased.erased_among(db, list(ids.values()))
    hashes = {
        read.identity: [hash_of(key, p.key) for p in mail_participants(read.mail) if p.key for key in keys]
        for read in mails
    }
    until = await erased.kept_out(db, sorted({one for some in hashes.values() for one in some}))
    return [
        read
        for read in mails
        if ids.get(read.identity) in gone
        or any(one in until and read.occurred_at < until[one] for one in hashes[read.identity])
    ]
