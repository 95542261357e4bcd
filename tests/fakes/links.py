"""All that makes a link, and all links, as they stand in the database: for comparing before and after."""

from typing import Any

from storage import addresses, decisions
from storage.database import Connection
from tests.fakes.rows import TODAY

TABLES = {
    "contact": "SELECT id AS key, to_jsonb(t) - 'version' - 'updated_at' AS row FROM contact t",
    "address_owner": "SELECT (contact_id, address_id) AS key, to_jsonb(t) AS row FROM address_owner t",
    "employment": "SELECT (person_id, partner_id, since) AS key, to_jsonb(t) AS row FROM employment t",
    "remembered_match": "SELECT id AS key, to_jsonb(t) AS row FROM remembered_match t",
    "address": "SELECT id AS key, to_jsonb(t) AS row FROM address t",
    "participant": "SELECT (interaction_id, n) AS key, to_jsonb(t) AS row FROM participant t",
    "subject": "SELECT id AS key, to_jsonb(t) - 'version' - 'updated_at' AS row FROM subject t",
    "subject_participant": "SELECT (subject_id, n) AS key, to_jsonb(t) AS row FROM subject_participant t",
}
STAY = {"contact", "address"}  # rows that a change has made stay, as nobody's, when it is taken back
Everything = dict[str, dict[Any, Any]]


async def everything(db: Connection) -> Everything:
    """Every row that has a part in links, by its key."""
    return {name: {row["key"]: row["row"] for row in await db.fetch(sql)} for name, sql in TABLES.items()}


def differences(before: Everything, after: Everything) -> list[tuple[str, Any, Any]]:
    """What is not as it was: rows with another content, rows that are missing, and new ones that lead to somebody."""
    found = []
    for name, rows in before.items():
        for key in rows.keys() | after[name].keys():
            old, new = rows.get(key), after[name].get(key)
            left = old is None and name in STAY and (new["deleted_at"] if name == "contact" else not new["contact_id"])
            if old != new and not left:
                found.append((name, old, new))
    return found


async def match_afresh(db: Connection) -> None:
    """Works out every link anew."""
    await addresses.resolve(db, [row["id"] for row in await db.fetch("SELECT id FROM address")], TODAY)
    await decisions.settle(db, [row["id"] for row in await db.fetch("SELECT id FROM contact")])
