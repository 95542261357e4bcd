"""Stored rows for tests: an interaction or a contact in a line of code, written by the storage's own functions."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from interactions.addresses import email_key
from interactions.phones import phone_key
from interactions.records import Direction, Interaction, Key, Kind, Participant, Role, uuid7
from storage import addresses, chains, records
from storage.database import Connection

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TODAY = START.date()


def key(text: str) -> Key:
    """The key of an e-mail or a number."""
    found = email_key(text) if "@" in text else phone_key(text, "RU")
    assert found is not None
    return found


def ids(n: int) -> tuple[UUID, UUID]:
    """The ids of interaction `n` and of the chain that begins with it."""
    at = START + timedelta(minutes=n)
    return uuid7(at, bytes([1, *n.to_bytes(9, "big")])), uuid7(at, bytes([2, *n.to_bytes(9, "big")]))


def interaction(n: int, *people: str, chain: int | None = None, **fields: object) -> Interaction:
    """Interaction `n`, in minute `n`: from the first of `people` to the others, in the chain that begins with `chain`."""
    roles = [Role.FROM] + [Role.TO] * len(people)
    values: dict[str, object] = {
        "id": ids(n)[0], "kind": Kind.EMAIL, "direction": Direction.INCOMING,
        "occurred_at": START + timedelta(minutes=n), "chain_id": ids(n if chain is None else chain)[1],
        "topic": f"Topic {n}",
        "participants": tuple(
            Participant(role, "", one, key(one)) for role, one in zip(roles, people, strict=False)
        ),
        **fields,
    }  # fmt: skip
    return Interaction(**values)  # type: ignore[arg-type]


async def write(db: Connection, *some: Interaction) -> None:
    """Writes interactions as the intake does."""
    known = await addresses.claim(db, {p.key for one in some for p in one.participants if p.key})
    await chains.extend(db, some)
    await records.add_all(db, some, known)


async def contact(db: Connection, name: str, *owned: str, kind: str = "individual") -> UUID:
    """A contact that has these addresses."""
    contact_id = uuid4()
    await db.execute(
        "INSERT INTO contact (id, kind, name, name_key) VALUES ($1, $2, $3, $4)",
        contact_id,
        kind,
        name,
        name.casefold(),
    )
    await own(db, contact_id, *owned)
    return contact_id


async def own(db: Connection, contact_id: UUID, *owned: str) -> None:
    """Gives addresses to a contact."""
    known = await addresses.claim(db, [key(one) for one in owned])
    for address in known.values():
        await db.execute(
            "INSERT INTO address_owner (address_id, contact_id, raw) VALUES ($1, $2, '')", address.id, contact_id
        )
    await addresses.resolve(db, [address.id for address in known.values()], TODAY)


async def user(db: Connection, name: str) -> UUID:
    """A user with a login."""
    user_id = await contact(db, name, kind="user")
    await db.execute("INSERT INTO login (user_id, email) VALUES ($1, $2)", user_id, f"{name.casefold()}@example.org")
    return user_id
