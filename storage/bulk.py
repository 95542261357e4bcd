"""The same change to many interactions at once, and the way back.

`change` writes only where something differs, and returns what stood there before; `restore` brings that back wherever the
change still stands: what somebody changed in between stays as it is.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from interactions.access import EVERYTHING, Access
from interactions.records import JsonValue
from storage.database import Connection
from storage.lists import Filter, page_statement

FIELDS = ("importance", "responsible_id", "reviewed", "review_after", "tags", "comment")
# What goes with a field: who reviewed and when is restored with the flag.
_WITH = {"reviewed": ("reviewed_at", "reviewed_by", "review_after")}

HOLD = """
SELECT id, to_jsonb(i) AS row FROM interaction i WHERE id = ANY($1::uuid[]) AND deleted_at IS NULL
ORDER BY id FOR NO KEY UPDATE
"""

CHANGE = """
UPDATE interaction SET
    importance = coalesce($2::jsonb->>'importance', importance),
    responsible_id = CASE WHEN $2 ? 'responsible_id' THEN ($2->>'responsible_id')::uuid ELSE responsible_id END,
    comment = CASE WHEN $2 ? 'comment' THEN $2->>'comment' ELSE comment END,
    tags = CASE WHEN $2 ? 'tags' THEN array(SELECT jsonb_array_elements_text($2->'tags')) ELSE tags END,
    reviewed = coalesce(($2->>'reviewed')::boolean, reviewed),
    reviewed_at = CASE ($2->>'reviewed')::boolean WHEN reviewed THEN reviewed_at WHEN true THEN now()
                  WHEN false THEN NULL ELSE reviewed_at END,
    reviewed_by = CASE ($2->>'reviewed')::boolean WHEN reviewed THEN reviewed_by WHEN true THEN $3::uuid
                  WHEN false THEN NULL ELSE reviewed_by END,
    review_after = CASE WHEN ($2->>'reviewed')::boolean THEN NULL
                   WHEN $2 ? 'review_after' THEN ($2->>'review_after')::timestamptz ELSE review_after END,
    version = version + 1, updated_at = now()
WHERE id = ANY($1::uuid[]) RETURNING id
"""

RESTORE = """
UPDATE interaction i SET importance = r.importance, responsible_id = r.responsible_id, comment = r.comment, tags = r.tags,
    reviewed = r.reviewed, reviewed_at = r.reviewed_at, reviewed_by = r.reviewed_by, review_after = r.review_after,
    version = i.version + 1, updated_at = now()
FROM jsonb_to_recordset($1) AS r (id uuid, importance text, responsible_id uuid, comment text, tags text[],
    reviewed boolean, reviewed_at timestamptz, reviewed_by uuid, review_after timestamptz)
WHERE i.id = r.id RETURNING i.id
"""

Row = Mapping[str, JsonValue]


async def select(db: Connection, wanted: Filter, access: Access = EVERYTHING) -> list[UUID]:
    """The interactions that a filter shows."""
    statement, arguments = page_statement(wanted, access)
    return [row["id"] for row in await db.fetch(statement, *arguments)]


async def change(
    db: Connection, ids: Sequence[UUID], changes: Mapping[str, JsonValue], by: UUID | None
) -> tuple[list[UUID], list[Row]]:
    """Which of these interactions were changed, and what stood in the changed fields before. A date to review after is
    only given to what is not reviewed."""
    rows = {row["id"]: row["row"] for row in await db.fetch(HOLD, list(ids))}
    postpones = changes.get("review_after") is not None and changes.get("reviewed") is None
    wanted = [one for one, row in rows.items() if _differs(row, changes) and not (postpones and row["reviewed"])]
    if not wanted:
        return [], []
    await db.execute(CHANGE, wanted, dict(changes), by)
    names = {"id", *changes, *(other for name in changes for other in _WITH.get(name, ()))}
    return wanted, [{name: rows[one][name] for name in names} for one in wanted]


def _differs(row: Row, changes: Mapping[str, JsonValue]) -> bool:
    for name, value in changes.items():
        if name == "review_after":  # one moment has many spellings
            if value is not None or row[name] is not None:
                return True
        elif row[name] != value:
            return True
    return False


async def restore(db: Connection, before: Sequence[Row], changes: Mapping[str, JsonValue]) -> list[UUID]:
    """Brings back what stood there, where the change still stands; which interactions that were."""
    rows = {str(row["id"]): row["row"] for row in await db.fetch(HOLD, [UUID(str(one["id"])) for one in before])}
    back = []
    for image in before:
        row = rows.get(str(image["id"]))
        if row is not None and _stands(row, changes):
            back.append({**row, **image})
    if not back:
        return []
    return [row["id"] for row in await db.fetch(RESTORE, [_plain(one) for one in back])]


def _stands(row: Row, changes: Mapping[str, JsonValue]) -> bool:
    """Whether a record still has what the change gave it; what is reviewed has no date to review after."""
    for name, value in changes.items():
        if name == "review_after":
            if _moment(row[name]) != (None if changes.get("reviewed") else _moment(value)):
                return False
        elif row[name] != value:
            return False
    return True


def _moment(text: JsonValue) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text is not None else None


def _plain(row: Row) -> dict[str, JsonValue]:
    names = ("id", *FIELDS, "reviewed_at", "reviewed_by")
    return {name: row[name] for name in names}
