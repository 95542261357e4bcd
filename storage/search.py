"""The search index of what came in large batches: built beside the intake, a few hundred records at a time.

Stemming is what costs; done within the intake it would make a first read several times slower. It may lag by seconds.
"""

from collections.abc import Sequence
from uuid import UUID

from interactions.records import AddressKind, Key
from interactions.search import file_words, lexemes_for
from storage.database import Connection
from storage.records import put_documents

TAKE = """
DELETE FROM search_queue WHERE interaction_id = ANY(ARRAY(
    SELECT interaction_id FROM search_queue LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING interaction_id
"""

WORDS = """
SELECT i.id, concat_ws(E'\\n', i.topic, i.description, i.comment,
           (SELECT string_agg(p.display_name, ' ') FROM participant p WHERE p.interaction_id = i.id),
           b.body_text) AS words,
       ARRAY(SELECT a.name FROM attachment a WHERE a.interaction_id = i.id ORDER BY a.n) AS files
FROM interaction i LEFT JOIN body b ON b.interaction_id = i.id WHERE i.id = ANY($1::uuid[])
"""

KEYS = """
SELECT p.interaction_id, a.kind, a.value FROM participant p JOIN address a ON a.id = p.address_id
WHERE p.interaction_id = ANY($1::uuid[])
"""

LAG = """
SELECT count(*) FROM search_queue
"""


async def index_some(db: Connection, limit: int) -> int:
    """Indexes up to `limit` records that wait; says how many. In one transaction: a crash leaves them waiting."""
    ids = [row["interaction_id"] for row in await db.fetch(TAKE, limit)]
    if ids:
        await index_these(db, ids)
    return len(ids)


async def index_these(db: Connection, ids: Sequence[UUID]) -> None:
    """Indexes these records as they stand now."""
    keys: dict[object, list[Key]] = {}
    for row in await db.fetch(KEYS, ids):
        keys.setdefault(row["interaction_id"], []).append(Key(AddressKind(row["kind"]), row["value"]))
    rows = await db.fetch(WORDS, ids)
    documents = []
    for row in rows:
        files = " ".join(map(file_words, row["files"]))
        documents.append((row["id"], f"{files}\n{row['words']}", lexemes_for(keys.get(row["id"], []))))
    await put_documents(db, documents)


async def lag(db: Connection) -> int:
    """How many records wait to be indexed."""
    return int(await db.fetchval(LAG))
