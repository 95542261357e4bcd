"""Who we are, and whom we know, in the tests of admission."""

from datetime import UTC, datetime
from uuid import UUID

from interactions.addresses import email_key
from interactions.admission import KnownAddress, OurSide
from interactions.contacts import ContactKind
from interactions.phones import phone_key
from interactions.records import AddressKind, Key

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ANNA, BORIS, CLARA, SHOP, IVAN, ADDRESS = (UUID(int=n) for n in range(1, 7))
OURS = OurSide(
    users={"anna@example.org": ANNA, "boris@example.org": BORIS},
    extensions={"101": ANNA, "102": BORIS},
    lines={Key(AddressKind.PHONE, "+74951234567"): CLARA},
    default=CLARA,
    active=frozenset({ANNA, BORIS, CLARA}),
)


def key_of(address: str) -> Key:
    key = email_key(address) if "@" in address else phone_key(address, "RU")
    assert key is not None
    return key


def own(address: str) -> KnownAddress:
    return KnownAddress(ADDRESS, key_of(address), own=True)


def user(address: str, contact_id: UUID) -> KnownAddress:
    return KnownAddress(ADDRESS, key_of(address), contact_id=contact_id, contact_kind=ContactKind.USER)


def customer(address: str, responsible_id: UUID | None = None) -> KnownAddress:
    return KnownAddress(
        ADDRESS,
        key_of(address),
        contact_id=IVAN,
        contact_kind=ContactKind.CONTACT_PERSON,
        responsible_id=responsible_id,
    )


KNOWN = {
    one.key: one
    for one in [
        own("sales@example.org"),
        own("+74951234567"),
        user("anna@example.org", ANNA),
        user("boris@example.org", BORIS),
        customer("ivan@customer.example", BORIS),
        customer("84956329816", BORIS),
    ]
}
