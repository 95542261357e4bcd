"""What could not be read is read again: once, at its place, or back through the journal."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from connectors.base import Batch
from daemon.intake.desk import Desk
from daemon.quarantine import retry
from interactions.arrivals import Location, MailArrived
from interactions.mime import ParsedMail, TooComplex, parse
from storage import leases
from storage.database import Database
from storage.errors import NotFound
from tests.fakes.api import Api, make_api
from tests.fakes.arrivals import raw_mail


async def refuses(raw: bytes) -> ParsedMail:
    raise TooComplex("this version can't read it")


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


@pytest.fixture
async def entry(api: Api) -> UUID:
    """A mail that an older version could not read."""
    database, serving = api.serving.database, api.serving
    older = Desk(database, serving.blobs, serving.desk.settings, refuses)
    async with database.connection() as db:
        [lease] = await leases.acquire(db, "test", ["sales"], 1, 60)
    await older.accept(lease, Batch([MailArrived("sales", Location("INBOX", 1, 7), raw_mail("1"), datetime.now(UTC))]))
    [one] = (await api.get("/quarantine")).json["items"]
    assert (one["reason"], one["locator"]["uid"]) == ("this version can't read it", 7)
    return UUID(one["id"])


async def test_a_mail_that_can_be_read_now_becomes_a_record_at_its_place(api: Api, entry: UUID) -> None:
    answer = await api.post(f"/quarantine/{entry}/retry", {})

    assert (answer.status, answer.json) == (200, {"outcome": "read"})
    [mail] = (await api.get("/interactions")).json["items"]
    record = (await api.get(f"/interactions/{mail['id']}")).json
    assert record["email"]["locations"] == [{"mailbox": "sales", "folder": "INBOX", "uid": 7}]
    assert (await api.get("/quarantine")).json["items"] == []
    assert (await api.post(f"/quarantine/{entry}/retry", {})).status == 404


async def test_a_mail_is_read_again_with_all_that_was_known_of_it(api: Api) -> None:
    database, serving = api.serving.database, api.serving
    raw = raw_mail("1")
    came = MailArrived(
        "sales", Location("Spam", 1, 7), raw, datetime(2026, 11, 23, 9, tzinfo=UTC), seen=True, folder_role="junk",
        size=9_000_000, mail_id="gm:1", thread_id="gm:2", labels=("Work",), handled_elsewhere=True,
    )  # fmt: skip
    async with database.connection() as db:
        [lease] = await leases.acquire(db, "test", ["sales"], 1, 60)
    await Desk(database, serving.blobs, serving.desk.settings, refuses).accept(lease, Batch([came]))
    [one] = (await api.get("/quarantine")).json["items"]

    await api.post(f"/quarantine/{one['id']}/retry", {})

    async with database.connection() as db:
        [place] = await db.fetch("SELECT mail_id, thread_id, labels, seen, size FROM mail_location")
        [record] = await db.fetch("SELECT reviewed, block->'marks' AS marks FROM interaction")
    assert tuple(place) == ("gm:1", "gm:2", ["Work"], True, 9_000_000)
    assert (record["reviewed"], record["marks"]) == (True, ["truncated", "oversized", "from_junk"])


async def test_a_mail_that_has_come_by_another_way_is_not_doubled(api: Api, entry: UUID) -> None:
    database = api.serving.database
    async with database.connection() as db:
        [lease] = await leases.acquire(db, "test", ["sales"], 1, 60) or [None]
        if lease is None:
            await db.execute("UPDATE source SET lease_until = now()")
            [lease] = await leases.acquire(db, "test", ["sales"], 1, 60)
    await api.serving.desk.accept(lease, Batch([MailArrived("sales", Location("Archive", 1, 1), raw_mail("1"))]))

    assert (await api.post(f"/quarantine/{entry}/retry", {})).json == {"outcome": "read"}

    [mail] = (await api.get("/interactions")).json["items"]
    places = (await api.get(f"/interactions/{mail['id']}")).json["email"]["locations"]
    assert [one["folder"] for one in places] == ["Archive", "INBOX"]


async def test_what_can_not_be_read_still_stays_with_its_new_reason(api: Api, entry: UUID) -> None:
    serving = api.serving

    async def worse(raw: bytes) -> ParsedMail:
        raise TooComplex("still too deep")

    desk = Desk(serving.database, serving.blobs, serving.desk.settings, worse)
    assert await retry(serving.database, serving.blobs, desk, entry) == "kept"

    [one] = (await api.get("/quarantine")).json["items"]
    assert (one["reason"], one["attempts"]) == ("still too deep", 2)
    assert parse(raw_mail("1")).subject == "Заказ"


async def test_an_event_goes_back_into_the_journal_and_returns_if_it_must(api: Api) -> None:
    await api.hook({"event": "newCall", "callId": ""})
    await api.work_off()
    [one] = (await api.get("/quarantine")).json["items"]

    assert (await api.post(f"/quarantine/{one['id']}/retry", {})).json == {"outcome": "queued"}
    assert (await api.get("/quarantine")).json["items"] == []
    await api.work_off()

    [again] = (await api.get("/quarantine")).json["items"]
    assert again["id"] != one["id"]


async def test_what_was_never_there_is_said(api: Api) -> None:
    serving = api.serving
    with pytest.raises(NotFound):
        await retry(serving.database, serving.blobs, serving.desk, uuid4())
