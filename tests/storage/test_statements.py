"""Every statement of the storage fits the migrated tables, and none walks through a table that grows.

The plans looked at are the generic ones, made without knowing the values: asyncpg keeps statements prepared, and with
these plans they run after the first few times.
"""

import importlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from interactions.search import SearchQuery
from storage.database import Database
from storage.lists import Filter, page_statement
from tests.fakes import history
from tests.fakes.postgres import Cluster
from tests.fakes.sources import constants, ours, statements

# What can't be prepared, and why.
NOT_PREPARED = {
    "embedded._CREATE_DATABASE": "creating a database takes no plan",
    "migrate._CREATE_TABLES": "several statements at once",
}
# Tables whose rows come with every mail, call and change. Those of people, sources and settings stay small.
GROWING = {
    "address", "address_owner", "attachment", "audit", "blob", "body", "call_event", "chain", "chain_subject", "contact",
    "employment", "feed", "idempotency", "inbound", "interaction", "invite", "mail_location", "mail_thread", "message_awaited",
    "message_ref", "origin", "outbox", "participant", "search_index", "sms_status", "subject", "subject_participant",
}  # fmt: skip
# Indexes over the few rows that are still to be worked on, or that are ours.
FEW = {"address_own", "feed_unnumbered", "inbound_todo", "interaction_to_review", "outbox_due", "quarantine_open"}
# Statements that read a growing table from end to end, and why they may.
MAY_SCAN = {
    "contacts.PAGE": "contacts are looked for by any part of a name, which no index of the core answers",
    "variants.UNSTEMMED": "once, at the first start after the migration",
    "handover.CONTACTS": "a leaver is handed over once",
    "handover.SUBJECTS": "a leaver is handed over once",
}
# Modules of which each statement may: they look through everything, for one person, seldom.
MAY_SCAN_WHOLE = ("erasure.", "erased.", "dossiers.")


def all_statements() -> dict[str, str]:
    """Every constant that is SQL, by module and name."""
    found: dict[str, str] = {}
    for module in ours():
        if module.floor == "storage":
            texts = {id(node) for node in statements(module)}
            values = vars(importlib.import_module(module.name))
            short = module.name.partition(".")[2]
            found |= {f"{short}.{name}": values[name] for name, node in constants(module).items() if id(node) in texts}
    return found


STATEMENTS = all_statements()
PREPARED = sorted(STATEMENTS.keys() - NOT_PREPARED.keys())


@pytest.fixture(scope="module")
def old_dsn(cluster: Cluster) -> Iterator[str]:
    """A database with a long history."""
    address = cluster.clone()
    cluster.call(history.fill(address))
    yield address
    cluster.drop(address)


def nodes(plan: dict[str, Any], *, limited: bool = False) -> Iterator[tuple[dict[str, Any], bool]]:
    """Every node of a plan, and whether a LIMIT above ends it early."""
    yield plan, limited
    below = plan["Node Type"] == "Limit" or (limited and plan["Node Type"] != "Sort")
    for inner in plan.get("Plans", ()):
        yield from nodes(inner, limited=below)


def scanned(plan: dict[str, Any]) -> set[str]:
    """The growing tables that a plan reads from end to end, as they lie or along an index."""
    whole = set()
    for node, limited in nodes(plan):
        along = node["Node Type"] in {"Index Scan", "Index Only Scan"} and "Index Cond" not in node
        # An index over a condition that few rows meet is as good as a condition.
        few = node.get("Index Name") in FEW
        if node["Node Type"] == "Seq Scan" or (along and not limited and not few):
            whole.add(node["Relation Name"])
    return whole & GROWING


async def generic_plan(db: asyncpg.Connection, statement: str) -> dict[str, Any]:
    """The plan made without knowing the values."""
    count = len((await db.prepare(statement)).get_parameters())
    values = f"({', '.join(['NULL'] * count)})" if count else ""
    await db.execute("SET plan_cache_mode = force_generic_plan")
    await db.execute(f"PREPARE one AS {statement}")
    text = await db.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE one {values}")
    await db.execute("DEALLOCATE one")
    plan: dict[str, Any] = json.loads(text)[0]["Plan"]
    return plan


async def test_every_statement_fits_the_tables(database: Database) -> None:
    wrong = {}
    async with database.connection() as db:
        for name in PREPARED:
            try:
                await db.prepare(STATEMENTS[name])
            except asyncpg.PostgresError as error:
                wrong[name] = str(error)

    assert wrong == {}
    assert len(PREPARED) > 80
    assert NOT_PREPARED.keys() <= STATEMENTS.keys()


async def test_no_statement_walks_through_a_table_that_grows(old_dsn: str) -> None:
    db = await asyncpg.connect(old_dsn)
    # The rows of this history lie in the same order in all tables, which flatters merging as real ones never do.
    await db.execute("SET enable_mergejoin = off")
    walks = {}
    for name in PREPARED:
        tables = scanned(await generic_plan(db, STATEMENTS[name]))
        if tables:
            walks[name] = sorted(tables)
    await db.close()

    walks = {name: tables for name, tables in walks.items() if not name.startswith(MAY_SCAN_WHOLE)}
    assert {name: tables for name, tables in walks.items() if name not in MAY_SCAN} == {}
    assert MAY_SCAN.keys() & STATEMENTS.keys() <= walks.keys()


AT = datetime(2026, 1, 5, tzinfo=UTC)
SOME = UUID("00000005-0000-7000-8000-000000007000")
CONTACT = UUID("00000001-0000-7000-8000-000000000100")
CHAIN = UUID("00000004-0000-7000-8000-000000001000")
PAGES = {
    "newest": Filter(),
    "next page": Filter(after=(AT, SOME)),
    "oldest": Filter(oldest_first=True),
    "oldest, next page": Filter(oldest_first=True, after=(AT, SOME)),
    "to review": Filter(status="to_review"),
    "to review, next page": Filter(status="to_review", after=(AT, SOME)),
    "of a contact": Filter(contact_id=CONTACT),
    "of a contact, next page": Filter(contact_id=CONTACT, after=(AT, SOME)),
    "of a chain": Filter(chain_id=CHAIN, oldest_first=True),
    "of somebody": Filter(responsible_id=CONTACT),
    "a span": Filter(since=AT, until=datetime(2026, 1, 6, tzinfo=UTC)),
    "a rare type": Filter(types=("meeting",)),
    "a source of few": Filter(source="shop"),
    "two types": Filter(types=("sms", "planned"), after=(AT, SOME)),
    "a number": Filter(number=77),
    "a reference": Filter(external_ref="ref 7"),
    "a fragment of a number": Filter(query=SearchQuery(prefixes=("tel1234",))),
    "words": Filter(query=SearchQuery(words="word77")),
    "a number among addresses and words": Filter(query=SearchQuery("1234", ("tel1234",))),
}


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_reads_about_as_many_rows_as_it_shows(old_dsn: str, name: str) -> None:
    statement, values = page_statement(PAGES[name])
    db = await asyncpg.connect(old_dsn)

    text = await db.fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", *values)
    plan = json.loads(text)[0]["Plan"]
    await db.close()

    read = sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node, _ in nodes(plan)
    )
    assert scanned(plan) == set()
    assert read < 2000
