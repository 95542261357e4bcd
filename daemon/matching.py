"""What a person does about a link that is wrong or missing: one participant, or all that an address ever said.

    decide     whom a participant is, or that it is nobody we know; remembered for its chain or its address if asked
    attach     an address that is nobody's becomes a contact's
    promote    … becomes a contact of its own
    resolve    for many addresses at once: whose each is, or nobody's, remembered everywhere
    change     a contact changes, and with its addresses and partners its history
    delete     … is deleted

Each happens in the caller's transaction and returns the token that takes it back (`daemon.undo`). What a person decided
for one participant is never changed by a rule, nor by a decision for all of its address.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from config.settings import Settings
from daemon import contacts as acts
from daemon.contacts import ADDRESSES_MAX, RAW_CHARS_MAX, Fields, Invalid, Spelling, new_id
from interactions.addresses import clean_name
from interactions.contacts import Contact, Coordinate
from interactions.records import Json
from interactions.variants import Local
from storage import addresses, contacts, decisions, feed, merging, parties, snapshots, undo
from storage.database import Connection
from storage.errors import Conflict, NotFound
from storage.parties import Party

KIND = "contacts"


def local_rules(settings: Settings) -> Local:
    """What the configuration says about local numbers and domains that tell nothing."""
    own = settings.contacts
    return Local(settings.default_region, own.default_area_code, frozenset(map(str, own.freemail_domains)))


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


async def attach(db: Connection, party_id: UUID, contact_id: UUID, by: UUID | None, now: datetime) -> str:
    """Gives a party's address, and with it all its history, to a contact. Raises NotFound, Conflict and Invalid."""
    old = (await contacts.find_all(db, [contact_id], hold=True)).get(contact_id)
    if old is None or old.is_gone:
        raise Invalid([("contact_id", f"{contact_id} is no contact")])
    party = await _party(db, party_id)
    new = replace(old, coordinates=(*old.coordinates, *(() if party.key in old.keys else (_coordinate(party),))))
    if len(new.coordinates) > ADDRESSES_MAX:
        raise Invalid([("contact_id", f"must not have more than {ADDRESSES_MAX} addresses")])
    before = await snapshots.take(db, [contact_id], [party_id])
    await parties.ignore(db, party_id, False)
    if new != old:
        await contacts.change_all(db, [(old, new)], now.date())
    await _settle(db, party_id, contact_id, by, now)
    return await undo.add(db, KIND, await snapshots.seal(db, before), by)


async def promote(
    db: Connection, party_id: UUID, fields: Fields, spelling: Spelling, by: UUID | None, now: datetime
) -> tuple[Contact, str]:
    """Makes a contact of a party. Raises NotFound, Conflict and Invalid."""
    party, contact_id = await _party(db, party_id), new_id(now)
    before = await snapshots.take(db, [contact_id], [party_id])
    await parties.ignore(db, party_id, False)
    new = await acts.add(db, fields, spelling, now, [_coordinate(party)], new_as=contact_id)
    await _settle(db, party_id, contact_id, by, now)
    return new, await undo.add(db, KIND, await snapshots.seal(db, before), by)


async def resolve(db: Connection, choices: Mapping[UUID, UUID | None], by: UUID | None, now: datetime) -> str:
    """Decides whose some addresses are, of several owners or of none: what the ambiguous queue is worked off with. Raises
    NotFound, Conflict and Invalid; then nothing is decided."""
    await addresses.hold(db, choices)
    for party_id in choices:
        found = await parties.find(db, party_id)
        if found is None:
            raise NotFound(f"there is no party {party_id}")
        if found.own:
            raise Conflict(f"{found.key.value} is one of our own addresses")
    wanted = {one for one in choices.values() if one is not None}
    unknown = sorted(wanted - (await contacts.live_kinds(db, wanted)).keys())
    if unknown:
        raise Invalid([("choices", f"{one} is no contact") for one in unknown])
    before = await snapshots.take(db, (), choices)
    for party_id, contact_id in choices.items():
        await decisions.remember(db, party_id, None, contact_id, by)
    await addresses.resolve(db, choices, now.date())
    return await undo.add(db, KIND, await snapshots.seal(db, before), by)


async def _party(db: Connection, party_id: UUID) -> Party:
    found = await parties.find(db, party_id, hold=True)
    if found is None:
        raise NotFound(f"there is no party {party_id}")
    if found.own:
        raise Conflict(f"{found.key.value} is one of our own addresses")
    if found.contact_id is not None:
        raise Conflict(f"{found.key.value} leads to the contact {found.contact_id} already")
    return found


def _coordinate(party: Party) -> Coordinate:
    return Coordinate(party.key, clean_name(party.address)[:RAW_CHARS_MAX] or party.key.value)


async def _settle(db: Connection, party_id: UUID, contact_id: UUID, by: UUID | None, now: datetime) -> None:
    """Others have the address too: the choice among them is remembered."""
    found = await parties.find(db, party_id)
    if found is not None and found.contact_id != contact_id:
        await decisions.remember(db, party_id, None, contact_id, by)
        await addresses.resolve(db, [party_id], now.date())


async def change(
    db: Connection, contact_id: UUID, fields: Fields, spelling: Spelling, by: UUID | None, now: datetime,
    version: int | None = None,
) -> tuple[Contact, str | None]:  # fmt: skip
    """Changes a contact as `daemon.contacts.change` does; without a change there is no token."""
    before = await snapshots.take(db, [contact_id])
    new = await acts.change(db, contact_id, fields, spelling, now, version)
    if any(row["version"] == new.version for row in before["rows"]["contacts"]):
        return new, None
    return new, await undo.add(db, KIND, await snapshots.seal(db, before), by)


async def delete(db: Connection, contact_id: UUID, by: UUID | None, now: datetime, version: int | None = None) -> str:
    """Deletes a contact as `daemon.contacts.delete` does."""
    before = await snapshots.take(db, [contact_id, *await merging.tied(db, contact_id)])
    await acts.delete(db, contact_id, now, version)
    return await undo.add(db, KIND, await snapshots.seal(db, before), by)


async def take_back(db: Connection, image: Json) -> None:
    """Restores what one of these changes, or a change of a contact, replaced."""
    await snapshots.restore(db, image, datetime.now(UTC).date())


async def _tell(db: Connection, interaction_ids: Sequence[UUID]) -> None:
    await decisions.touch(db, interaction_ids)
    await feed.add(db, [feed.Change("interaction.updated", one) for one in interaction_ids])
