"""Acts on users, shared by the command line and the API: a user is a contact of kind user with a login."""

from datetime import datetime
from uuid import UUID

from config.settings import Settings
from daemon import contacts as contact_changes
from daemon.contacts import Fields, Spelling
from interactions.contactfiles import Written
from interactions.contacts import ContactKind
from interactions.records import Key
from storage import contacts, people
from storage.database import Connection
from storage.errors import Conflict

ROLES = ("admin", "member", "reader")
ROLE_DEFAULT = "member"


async def add_user(
    db: Connection, settings: Settings, key: Key, name: str, role: str, password_hash: str | None, now: datetime
) -> UUID:
    """Writes a user within the caller's transaction; a contact of kind user with this address is taken up."""
    found = await people.find_by_email(db, key.value)
    if found is not None:
        user, _ = found
        what = "is disabled; `ringmail user disable --undo` lets in again" if user.disabled_at else "is a user already"
        raise Conflict(f"{key.value} {what}. `ringmail user list` shows who there is.")
    same = await contacts.page(db, contacts.Filter(kinds=(ContactKind.USER.value,), key=key, limit=1), now.date())
    if same:
        user_id = same[0].id
    else:
        spelling = Spelling(settings.default_region, settings.contacts.default_area_code)
        fields: Fields = {"kind": ContactKind.USER, "name": name, "emails": [Written(key.value)]}
        user_id = (await contact_changes.add(db, fields, spelling, now)).id
    await people.add_login(db, user_id, key.value, password_hash, role)
    return user_id
