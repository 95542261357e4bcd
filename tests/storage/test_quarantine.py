"""Quarantine: what could not be read, with its reason, newest first."""

from datetime import datetime
from uuid import uuid4

from storage import inbound, quarantine
from storage.database import Database
from storage.inbound import Event
from storage.quarantine import Kept


async def test_mails_are_kept_once_with_reason_and_place(database: Database) -> None:
    kept = [Kept(uuid4(), f"reason {n}", {"folder": "Входящие", "uid": n}, bytes(32)) for n in range(3)]
    async with database.connection() as db:
        await quarantine.add_mails(db, "sales", kept)
        await quarantine.add_mails(db, "sales", kept[:1])
        await quarantine.add_mails(db, "sales", [])

        found = await quarantine.list_open(db)

    assert {(one.id, one.source, one.kind, one.reason, one.attempts) for one in found} == {
        (one.id, "sales", "mail", one.reason, 1) for one in kept
    }
    assert {one.locator["uid"] for one in found} == {0, 1, 2}


async def test_the_newest_come_first_and_what_is_resolved_is_gone(database: Database) -> None:
    async with database.connection() as db:
        for n in range(3):
            await quarantine.add_mails(db, "sales", [Kept(uuid4(), str(n), {}, bytes(32))])
        await db.execute("UPDATE quarantine SET resolved_at = now() WHERE reason = '1'")

        assert [one.reason for one in await quarantine.list_open(db)] == ["2", "0"]
        assert [one.reason for one in await quarantine.list_open(db, 1)] == ["2"]


async def test_one_entry_says_where_its_bytes_are(database: Database, now: datetime) -> None:
    mail = Kept(uuid4(), "too deep", {"folder": "INBOX"}, b"\1" * 32)
    async with database.connection() as db:
        await quarantine.add_mails(db, "sales", [mail])
        await inbound.add(db, [Event("pbx", "key", now, "POST", "", "", {}, b"body", "")])
        (event,) = await inbound.claim(db, 1)
        await inbound.mark_failed(db, event, "no such event", final=True)

        found = {one.kind: await quarantine.find(db, one.id) for one in await quarantine.list_open(db)}
        nothing = await quarantine.find(db, uuid4())

    assert found["mail"] is not None
    assert found["event"] is not None
    assert (found["mail"].entry.reason, found["mail"].raw_sha256, found["mail"].body) == ("too deep", b"\1" * 32, None)
    assert (found["event"].entry.reason, found["event"].raw_sha256, found["event"].body) == (
        "no such event",
        None,
        b"body",
    )
    assert nothing is None
