"""Writes the people of the demonstration into the database: users with logins, then contacts, by the ordinary ways.

After the first read `review_past` reviews what is old, so that the list shows what waits for somebody today and not
sixty days of bold lines.
"""

from datetime import datetime
from uuid import UUID

from daemon import contacts
from daemon.contacts import Spelling
from daemon.demo.world import DemoContact, World
from interactions.contactfiles import Written
from interactions.contacts import ContactKind
from storage import lists, people, records
from storage.database import Connection

PAGE = 200


async def seed(db: Connection, world: World, now: datetime) -> dict[str, UUID]:
    """Adds users and contacts in the caller's transaction; returns the users by e-mail, the first one an admin.
    Nobody has a password: they sign in by a link."""
    users: dict[str, UUID] = {}
    for user in world.users:
        fields = contacts.Fields(kind=ContactKind.USER, name=user.name, emails=[Written(user.email)])
        added = await contacts.add(db, fields, Spelling(), now)
        await people.add_login(db, added.id, user.email, None, "member" if users else "admin")
        users[user.email] = added.id
    refs: dict[str, UUID] = {}
    for contact in world.contacts:
        refs[contact.external_ref] = (await contacts.add(db, _fields(contact, users, refs), Spelling(), now)).id
    return users


def _fields(contact: DemoContact, users: dict[str, UUID], refs: dict[str, UUID]) -> contacts.Fields:
    fields = contacts.Fields(
        kind=ContactKind(contact.kind),
        name=contact.name,
        external_ref=contact.external_ref,
        emails=[Written(email) for email in contact.emails],
        phones=[Written(phone) for phone in contact.phones],
        responsible_id=users.get(contact.responsible or ""),
        comment=contact.position or None,
    )
    if contact.partner_ref is not None:
        fields["partner_id"] = refs[contact.partner_ref]
    return fields


async def review_past(db: Connection, before: datetime, by: UUID) -> int:
    """Reviews, in somebody's name, whatever happened before a moment; returns how many there were."""
    count = 0
    wanted = lists.Filter(status="to_review", until=before, limit=PAGE)
    while found := await lists.page(db, wanted):
        for one in found:
            await records.set_fields(db, one.id, {"reviewed": True}, by, None)
        count += len(found)
    return count
