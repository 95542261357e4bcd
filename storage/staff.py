"""Users as the company has them: department, absence with a deputy, extensions with dates; and handing over.

One absence at a time is kept as the present or coming one; those that are over stay as history.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from interactions.records import JsonValue
from storage import audit
from storage.database import Connection, storable

LIST = """
SELECT l.user_id, c.name, l.email, l.role, c.department_id, l.timezone, l.language, l.disabled_at, a.since, a.until,
    coalesce(a.deputy_id, l.deputy_id) AS deputy_id
FROM login l JOIN contact c ON c.id = l.user_id
LEFT JOIN LATERAL (
    SELECT since, until, deputy_id FROM absence
    WHERE user_id = l.user_id AND (until IS NULL OR until > now()) ORDER BY since LIMIT 1) AS a ON true
WHERE $1::uuid[] IS NULL OR l.user_id = ANY($1)
ORDER BY c.name_key, l.user_id
"""

EXTENSIONS = """
SELECT user_id, source, extension, since, until FROM extension WHERE user_id = ANY($1::uuid[])
ORDER BY user_id, source, extension, since NULLS FIRST
"""


@dataclass(frozen=True, slots=True)
class Extension:
    """A number of a PBX, and when it was whose."""

    source: str
    extension: str
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class StaffMember:
    """One user with all that is known."""

    id: UUID
    name: str
    email: str
    role: str
    department_id: UUID | None
    timezone: str | None
    language: str | None
    disabled_at: datetime | None
    absent_from: datetime | None
    absent_until: datetime | None
    deputy_id: UUID | None
    extensions: tuple[Extension, ...] = ()


async def list_all(db: Connection, ids: Sequence[UUID] | None = None) -> list[StaffMember]:
    """All users by name, those who left too; or only these."""
    rows = await db.fetch(LIST, list(ids) if ids is not None else None)
    numbers: dict[UUID, list[Extension]] = {}
    for row in await db.fetch(EXTENSIONS, [row["user_id"] for row in rows]):
        numbers.setdefault(row["user_id"], []).append(
            Extension(row["source"], row["extension"], row["since"], row["until"])
        )
    return [replace(StaffMember(*row), extensions=tuple(numbers.get(row["user_id"], ()))) for row in rows]


SET_LOGIN = """
UPDATE login SET role = coalesce($2::jsonb->>'role', role),
    timezone = CASE WHEN $2 ? 'timezone' THEN $2->>'timezone' ELSE timezone END,
    language = CASE WHEN $2 ? 'language' THEN $2->>'language' ELSE language END,
    deputy_id = CASE WHEN $2 ? 'deputy_id' THEN ($2->>'deputy_id')::uuid ELSE deputy_id END,
    disabled_at = CASE WHEN NOT $2 ? 'disabled' THEN disabled_at WHEN ($2->>'disabled')::boolean
                  THEN coalesce(disabled_at, now()) END
WHERE user_id = $1 RETURNING user_id
"""

SET_PERSON = """
UPDATE contact SET name = coalesce($2::jsonb->>'name', name), name_key = coalesce($3, name_key),
    department_id = CASE WHEN $2 ? 'department_id' THEN ($2->>'department_id')::uuid ELSE department_id END,
    version = version + 1, updated_at = now()
WHERE id = $1
"""

END_SESSIONS = """
DELETE FROM session WHERE user_id = $1
"""

END_LINKS = """
UPDATE once_link SET used_at = now() WHERE user_id = $1 AND used_at IS NULL
"""

FORGET_ABSENCE = """
DELETE FROM absence WHERE user_id = $1 AND (until IS NULL OR until > now())
"""

ADD_ABSENCE = """
INSERT INTO absence (id, user_id, since, until) VALUES ($1, $2, $3, $4)
"""

FORGET_EXTENSIONS = """
DELETE FROM extension WHERE user_id = $1
"""

ADD_EXTENSIONS = """
INSERT INTO extension (id, user_id, source, extension, since, until)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[])
"""


async def change(db: Connection, user_id: UUID, changes: Mapping[str, JsonValue], name_key: str | None) -> bool:
    """Changes what is given: name, department_id, role, timezone, language, deputy_id, disabled. Whoever is disabled is
    signed out at once. Says whether there is such a user."""
    if await db.fetchval(SET_LOGIN, user_id, dict(changes)) is None:
        return False
    if {"name", "department_id"} & changes.keys():
        await db.execute(SET_PERSON, user_id, dict(changes), name_key)
    if changes.get("disabled"):
        await db.execute(END_SESSIONS, user_id)
        await db.execute(END_LINKS, user_id)
    await audit.note(db, "user.updated", user_id)
    return True


async def set_absence(db: Connection, user_id: UUID, since: datetime | None, until: datetime | None) -> None:
    """Replaces the present or coming absence; without `since` there is none."""
    await db.execute(FORGET_ABSENCE, user_id)
    if since is not None:
        await db.execute(ADD_ABSENCE, uuid4(), user_id, since, until)


async def set_extensions(db: Connection, user_id: UUID, numbers: Sequence[Extension]) -> None:
    """Replaces all extensions of a user."""
    await db.execute(FORGET_EXTENSIONS, user_id)
    if numbers:
        await db.execute(
            ADD_EXTENSIONS,
            [uuid4() for _ in numbers],
            [user_id] * len(numbers),
            [storable(one.source) for one in numbers],
            [storable(one.extension) for one in numbers],
            [one.since for one in numbers],
            [one.until for one in numbers],
        )


@dataclass(frozen=True, slots=True)
class Department:
    """A department and its head."""

    id: UUID
    name: str
    parent_id: UUID | None = None
    head_id: UUID | None = None


DEPARTMENTS = """
SELECT id, name, parent_id, head_id FROM department ORDER BY name, id
"""

SAVE_DEPARTMENT = """
INSERT INTO department (id, name, parent_id, head_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, parent_id = excluded.parent_id, head_id = excluded.head_id
"""


async def departments(db: Connection) -> list[Department]:
    """All departments."""
    return [Department(*row) for row in await db.fetch(DEPARTMENTS)]


async def save_department(db: Connection, one: Department) -> None:
    """Writes a department, new or changed."""
    await db.execute(SAVE_DEPARTMENT, one.id, storable(one.name), one.parent_id, one.head_id)
    await audit.note(db, "department.saved", one.id)
