"""Counts: what waits, how much there is, and settings with which a power cut would lose something."""

from uuid import uuid4

import pytest

from storage import counts, inbound, people, quarantine
from storage.counts import KeptHere, ServerFacts, Waiting
from storage.database import Database
from storage.inbound import Event
from storage.quarantine import Kept
from tests.fakes.rows import interaction, write


async def test_an_empty_database_has_nothing_waiting(database: Database) -> None:
    async with database.connection() as db:
        found, there = await counts.waiting(db), await counts.kept(db)

    assert found == Waiting(0, 0, 0, 0)
    assert there == KeptHere(there.database_bytes, 0, 0)
    assert there.database_bytes > 1_000_000


async def test_what_waits_is_counted_and_what_is_done_is_not(database: Database, now: object) -> None:
    async with database.connection() as db:
        events = [Event("pbx", f"key {n}", now, "POST", "", "", {}, b"{}", "") for n in range(3)]  # type: ignore[arg-type]
        await inbound.add(db, events)
        await inbound.mark_done(db, [(await inbound.claim(db, 1))[0].id])
        await quarantine.add_mails(db, "sales", [Kept(uuid4(), "reason", {}, bytes(32)) for _ in range(2)])
        await db.execute(
            "UPDATE quarantine SET resolved_at = now() WHERE id = (SELECT min(id::text)::uuid FROM quarantine)"
        )
        (one,) = [interaction(1)]
        await write(db, one)
        await db.execute("DELETE FROM search_queue")
        await db.execute("INSERT INTO search_queue VALUES ($1)", one.id)
        await db.execute("DELETE FROM feed")
        await db.execute("INSERT INTO feed (type, ref, data) VALUES ('contact.created', $1, '{}')", uuid4())

        assert await counts.waiting(db) == Waiting(journal=2, search=1, feed=1, quarantine=1)


async def test_users_who_left_are_not_counted(database: Database) -> None:
    async with database.connection() as db:
        for n in range(2):
            await db.execute(
                "INSERT INTO contact (id, kind, name, name_key) VALUES ($1, 'user', 'a', 'a')", user := uuid4()
            )
            await people.add_login(db, user, f"a{n}@example.org", None, "member")
        await db.execute("UPDATE login SET disabled_at = now() WHERE email = 'a1@example.org'")

        assert (await counts.kept(db)).users == 1


async def test_interactions_are_counted_up_to_a_bound_and_estimated_beyond(database: Database) -> None:
    async with database.connection() as db:
        await write(db, *(interaction(n) for n in range(5)))
        exact, before = await counts.kept(db), await counts.kept(db, 3)
        await db.execute("ANALYZE interaction")

        assert (exact.interactions, before.interactions) == (5, 3)
        assert (await counts.kept(db, 3)).interactions == 5


async def test_the_server_says_how_it_is_set_up(database: Database) -> None:
    async with database.connection() as db:
        await db.execute("SET synchronous_commit = off")
        facts = await counts.server_facts(db)

    assert facts.major >= 15
    assert facts.version.startswith(str(facts.major))
    assert not facts.is_standby
    assert "synchronous_commit = off" in facts.unsafe


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        (("on", "on", "on"), []),
        (("on", "remote_apply", "on"), []),
        (("off", "on", "on"), ["fsync = off"]),
        (("off", "off", "off"), ["fsync = off", "synchronous_commit = off", "full_page_writes = off"]),
    ],
)
def test_settings_that_lose_commits_are_named(settings: tuple[str, str, str], wrong: list[str]) -> None:
    assert ServerFacts(18, "18.6", *settings, is_standby=False).unsafe == wrong
