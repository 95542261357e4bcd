"""The whole demonstration but for the pages: the world's mail and calls, through connectors and intake, in PostgreSQL."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.load import loads
from connectors.base import WebhookRequest
from connectors.mail.source import ImapSource, MailboxSettings
from connectors.telephony.generic import Generic, GenericSettings
from daemon.demo.corpus import DRAFTS, JUNK, TRASH
from daemon.demo.people import SHARED_ACCOUNTS, SHARED_OFFICE
from daemon.demo.seeding import review_past, seed
from daemon.demo.telephone import HISTORY_CALLS, HISTORY_SMS
from daemon.demo.world import DemoMailbox, World
from daemon.intake.desk import Desk, SourceIntake
from daemon.wiring import intake_settings, source_rows
from interactions.mime import ParsedMail, parse
from storage import addresses, leases, people, sources
from storage.blobs import Blobs
from storage.database import Database

NOW = datetime(2026, 11, 25, 11, 40, tzinfo=UTC)


async def parse_here(raw: bytes) -> ParsedMail:
    return parse(raw)


class Stage:
    """A world and a daemon's heart that has read its mail and taken its calls."""

    def __init__(self, database: Database, world: World) -> None:
        self.database, self.world = database, world

    async def rows(self, query: str, *values: object) -> Sequence[tuple[object, ...]]:
        async with self.database.connection() as db:
            return [tuple(row) for row in await db.fetch(query, *values)]

    async def play(self, folder: Path, now: datetime) -> None:
        settings = loads(self.world.config_text(str(folder / "data"), 8025), folder, {}).settings
        known = intake_settings(settings)
        desk = Desk(self.database, Blobs(folder), known, parse_here, lambda: now)
        async with self.database.connection() as db:
            await sources.save_all(db, source_rows(settings))
            await addresses.mark_own(db, known.own, now.date())
            await seed(db, self.world, now)
            held = {one.name: one for one in await leases.acquire(db, "test", list(known.sources), 10, 60)}
        await asyncio.gather(
            *(
                source_of(one).catch_up(SourceIntake(desk, self.database, held[one.name]))
                for one in self.world.mailboxes
            )
        )
        receiver = Generic(GenericSettings("main", (self.world.secret,)))
        for payload in self.world.history_calls(now):
            request = WebhookRequest("main", "POST", "", "", {}, json.dumps(payload).encode(), now)
            async with self.database.connection() as db:
                await desk.admit_events(db, "main", receiver.read(request), now)


def source_of(one: DemoMailbox) -> ImapSource:
    return ImapSource(
        MailboxSettings(one.name, one.address, one.host, one.port, one.user, one.password, "none", one.aliases)
    )


@pytest.fixture
async def stage(database: Database, tmp_path: Path) -> Stage:
    world = World(NOW)
    await world.start()
    made = Stage(database, world)
    try:
        await made.play(tmp_path, NOW)
    finally:
        await world.stop()
    return made


async def test_every_mail_call_and_sms_becomes_one_interaction(stage: Stage) -> None:
    kinds = Counter(dict(await stage.rows("SELECT kind, count(*) FROM interaction GROUP BY kind")))
    wanted = sum(
        len(folder.mails)
        for account in stage.world.accounts
        for name, folder in account.folders.items()
        if name not in (JUNK, TRASH, DRAFTS)
    )

    assert kinds == {"email": wanted, "phone_call": HISTORY_CALLS, "sms": HISTORY_SMS}
    assert await stage.rows("SELECT * FROM quarantine") == []


async def test_every_correspondence_is_one_chain(stage: Stage) -> None:
    # A Message-ID names its correspondence: time.number.position@domain.
    numbers = "SELECT split_part(external_id, '.', 2) AS number, chain_id FROM interaction WHERE kind = 'email'"
    torn = await stage.rows(
        f"SELECT number, count(DISTINCT chain_id) FROM ({numbers}) AS m WHERE number ~ '^[0-9]' GROUP BY 1 "
        "HAVING count(DISTINCT chain_id) > 1"
    )
    sizes = {size for (size,) in await stage.rows("SELECT size FROM chain")}

    assert torn == []
    assert {2, 3, 4, 5, 6, 8} <= sizes


async def test_people_are_found_by_their_addresses_and_their_numbers_in_any_spelling(stage: Stage) -> None:
    rules = Counter(dict(await stage.rows("SELECT rule, count(*) FROM address GROUP BY rule")))
    nobodies = {
        value for (value,) in await stage.rows("SELECT value FROM address WHERE rule = 'none' AND candidates = '{}'")
    }
    known = {email for contact in stage.world.contacts for email in contact.emails}
    called = Counter(
        dict(
            await stage.rows(
                "SELECT a.rule, count(*) FROM participant p JOIN address a ON a.id = p.address_id "
                "WHERE p.role = 'subscriber' GROUP BY 1"
            )
        )
    )

    assert rules["email_exact"] > 30
    assert not nobodies & known
    assert called["phone_exact"] > 20


async def test_a_shared_address_is_nobody_and_a_shared_address_of_one_firm_is_the_firm(stage: Stage) -> None:
    [(rule, contact_id, candidates)] = await stage.rows(
        "SELECT rule, contact_id, candidates FROM address WHERE value = $1", SHARED_OFFICE
    )
    firm = await stage.rows(
        "SELECT a.rule, c.name FROM address a JOIN contact c ON c.id = a.contact_id WHERE a.value = $1", SHARED_ACCOUNTS
    )

    assert (rule, contact_id) == ("none", None)
    assert isinstance(candidates, list)
    assert len(candidates) == 2
    assert firm == [("partner_of_all", "ООО «Северный ветер»")]


async def test_directions_and_authors_are_right(stage: Stage) -> None:
    directions = Counter(dict(await stage.rows("SELECT direction, count(*) FROM interaction GROUP BY 1")))
    strays = await stage.rows(
        "SELECT i.topic FROM interaction i JOIN participant p ON p.interaction_id = i.id AND p.role = 'from' "
        "WHERE i.kind = 'email' AND i.direction = 'incoming' AND p.address LIKE '%@romashka.example' "
        "AND p.address NOT LIKE 'mailer-daemon@%'"
    )
    authors = {
        name for (name,) in await stage.rows(
            "SELECT DISTINCT c.name FROM interaction i JOIN contact c ON c.id = i.author_id WHERE i.kind = 'email'"
        )
    }  # fmt: skip

    assert min(directions["incoming"], directions["outgoing"]) > 100
    assert directions["internal"] == 5
    assert strays == []
    assert {"Соколова Анна Сергеевна", "Лаптев Борис Николаевич"} <= authors


async def test_the_past_can_be_reviewed(stage: Stage) -> None:
    before = NOW - timedelta(days=2)
    async with stage.database.connection() as db:
        anna = await people.find_by_email(db, "anna@romashka.example")
        assert anna is not None

        count = await review_past(db, before, anna[0].id)

    assert count > 100
    waiting = await stage.rows("SELECT min(occurred_at), count(*) FROM interaction WHERE NOT reviewed")
    assert waiting[0][0] >= before  # type: ignore[operator]
    assert waiting[0][1] > 0  # type: ignore[operator]
