"""What a person does about a link that is wrong or missing: one participant, or all that an address ever said.

    decide     whom a participant is, or that it is nobody we know; remembered for its chain or its address if asked
    attach     an address that is nobody's becomes a contact's
    promote    … becomes a contact of its own

Each happens in the caller's transaction and returns the token that takes it back (`daemon.undo`). What a person decided
for one participant is never changed by a rule, nor by a decision for all of its address.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from daemon.contacts import Invalid
from interactions.records import Json
from storage import addresses, contacts, decisions, feed, snapshots, undo
from storage.database import Connection
from storage.errors import NotFound

KIND = "contacts"


class Remember(StrEnum):
    """For what else a decision counts: this participant only, its address in this chain, its address everywhere."""

    NO = "no"
    CHAIN = "chain"
    ADDRESS = "address"


async def decide(
    db: Connection, interaction_id: UUID, n: int, contact_id: UUID | None, remember: Remember, by: UUID | None,
    now: datetime,
) -> str:  # fmt: skip
    """Links a participant by hand. Raises NotFound and Invalid."""
    seat = await decisions.seat(db, interaction_id, n)
    if seat is None:
        raise NotFound(f"there is no participant {n} of an interaction {interaction_id}")
    if contact_id is not None and contact_id not in await contacts.live_kinds(db, [contact_id]):
        raise Invalid([("contact_id", f"{contact_id} is no contact")])
    if seat.address_id is None and remember is not Remember.NO:
        raise Invalid([("remember", "must be no: this participant has no address")])
    places = {(interaction_id, n)}
    if seat.address_id is not None and remember is Remember.CHAIN:
        places |= set(await decisions.in_chain(db, seat.chain_id, seat.address_id))
    known = [seat.address_id] if seat.address_id is not None else []
    before = await snapshots.take(db, (), known, places)
    await decisions.decide(db, interaction_id, n, contact_id)
    if seat.address_id is not None and remember is not Remember.NO:
        where = seat.chain_id if remember is Remember.CHAIN else None
        await decisions.remember(db, seat.address_id, where, contact_id, by)
        if where is None:
            await addresses.resolve(db, known, now.date())
        await decisions.follow(db, sorted({one for one, _ in places}))
    await _tell(db, sorted({one for one, _ in places}))
    return await undo.add(db, KIND, await snapshots.seal(db, before), by)


async def take_back(db: Connection, image: Json) -> None:
    """Restores what one of these changes, or a change of a contact, replaced."""
    await snapshots.restore(db, image, datetime.now(UTC).date())


async def _tell(db: Connection, interaction_ids: Sequence[UUID]) -> None:
    await decisions.touch(db, interaction_ids)
    await feed.add(db, [feed.Change("interaction.updated", one) for one in interaction_ids])
