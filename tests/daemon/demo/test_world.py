"""The world of the demonstration, seen with the daemon's own connectors: what it mails, posts and writes to a file."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.load import loads
from connectors.base import WebhookRequest
from connectors.mail.account import Account
from connectors.mail.session import opened
from connectors.mail.source import ImapSource, MailboxSettings
from connectors.telephony.generic import Generic, GenericSettings
from daemon.demo.people import LINE_SALES, LINE_SERVICE
from daemon.demo.telephone import HISTORY_CALLS, HISTORY_SMS
from daemon.demo.world import World
from interactions.arrivals import Arrival, CallChanged, SmsArrived, SmsStatusChanged
from interactions.calls import merge
from interactions.mime import parse
from interactions.phones import phone_key
from interactions.records import Direction
from tests.fakes.imap_intake import MemoryIntake

NOW = datetime(2026, 11, 25, 11, 40, tzinfo=UTC)


class Hooks:
    """Stands where the daemon takes webhooks: verifies them and reads them with the receiver of the generic source."""

    def __init__(self, secret: str) -> None:
        self.arrivals: list[Arrival] = []
        self.ids: list[str] = []
        self.refusals = 0  # how many posts are answered 503 first
        self.status = 200
        self.url = ""
        self._receiver = Generic(GenericSettings("main", (secret,), region="RU"))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._request(reader, writer)
        except (EOFError, OSError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.ids.append(headers["webhook-id"])
        status = self.status
        if self.refusals:
            self.refusals -= 1
            status = 503
        if status == 200:
            request = WebhookRequest("main", "POST", "", "", headers, body, datetime.now(UTC))
            self._receiver.verify(request)
            self.arrivals += self._receiver.read(request)
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        await writer.drain()

    def calls(self) -> dict[str, Sequence[CallChanged]]:
        found: dict[str, list[CallChanged]] = {}
        for one in self.arrivals:
            if isinstance(one, CallChanged):
                found.setdefault(one.call_key, []).append(one)
        return dict(found)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World(NOW, speed=400)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def hooks(world: World) -> AsyncIterator[Hooks]:
    made = Hooks(world.secret)
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/hooks/main"
    yield made
    listening.close()
    await listening.wait_closed()


async def test_the_configuration_loads_without_a_mistake(world: World, tmp_path: Path) -> None:
    loaded = loads(world.config_text(str(tmp_path / "data"), 8025, "en"), tmp_path, {})

    sales, service = loaded.settings.mailboxes
    [main] = loaded.settings.telephony
    assert loaded.warnings == ()
    assert loaded.settings.public_url == "http://127.0.0.1:8025"
    assert loaded.settings.language == "en"
    assert (sales.name, sales.address, sales.aliases) == ("sales", "sales@romashka.example", ("shop@romashka.example",))
    assert service.responsible == "vera@romashka.example"
    assert (sales.imap.host, sales.imap.port, sales.imap.tls) == ("127.0.0.1", world.mailboxes[0].port, "none")
    assert set(main.lines) == {LINE_SALES, LINE_SERVICE}
    assert main.extensions["102"] == "boris@romashka.example"


async def test_the_mailboxes_are_read_by_the_connector(world: World) -> None:
    counts = Counter[str]()
    for one in world.mailboxes:
        async with opened(Account(one.host, one.port, "none", one.user, one.password)) as session:
            for folder in await session.list_folders():
                await session.examine(folder.raw)
                mails = await session.fetch(await session.uid_search("1:*"))
                assert all(parse(mail.body or b"").message_id for mail in mails)
                counts[f"{one.name}/{folder.name}"] = len(mails)

    assert sum(counts.values()) > 280
    assert counts["sales/INBOX"] > 50
    assert counts["service/Архив"] > 0


async def test_contacts_name_partners_before_their_people(world: World) -> None:
    seen: set[str] = set()
    for contact in world.contacts:
        assert contact.partner_ref is None or contact.partner_ref in seen
        assert contact.kind in ("partner", "contact_person", "individual")
        assert contact.responsible in {user.email for user in world.users}
        seen.add(contact.external_ref)

    assert len(seen) == len(world.contacts) > 40
    assert 'Магазин "Бытовая техника (Москва)"' in {contact.name for contact in world.contacts}


async def test_the_past_of_the_telephone_is_taken_whole(world: World, hooks: Hooks) -> None:
    taken = await world.post_history(hooks.url, world.secret, NOW)

    calls = [merge(events) for events in hooks.calls().values()]
    messages = [one for one in hooks.arrivals if isinstance(one, SmsArrived)]
    assert taken == len(hooks.arrivals) == len(set(hooks.ids))
    assert (len(calls), len(messages)) == (HISTORY_CALLS, HISTORY_SMS)
    assert {call.state for call in calls} == {"ended"}
    assert {"answered", "missed"} <= {call.result for call in calls}
    assert {call.direction for call in calls} == {Direction.INCOMING, Direction.OUTGOING}
    lines = {phone_key(call.line, "RU") for call in calls}
    assert lines == {phone_key(line, "RU") for line in (LINE_SALES, LINE_SERVICE)}
    assert all(one.at is not None and one.at < NOW for one in hooks.arrivals if not isinstance(one, SmsStatusChanged))


async def test_life_brings_mail_calls_and_sms_until_it_is_told_to_stop(world: World, hooks: Hooks) -> None:
    before = stored(world)
    stop = asyncio.Event()
    living = asyncio.create_task(world.live(hooks.url, world.secret, stop))
    while len(hooks.calls()) < 3 or stored(world) < before + 5 or not has_sms(hooks):
        await asyncio.sleep(0.01)

    stop.set()
    await living

    quiet = (stored(world), len(hooks.arrivals))
    await asyncio.sleep(0.05)
    assert (stored(world), len(hooks.arrivals)) == quiet


async def test_life_ends_when_it_is_cancelled(world: World, hooks: Hooks) -> None:
    living = asyncio.create_task(world.live(hooks.url, world.secret))
    await asyncio.sleep(0.05)

    living.cancel()

    with pytest.raises(asyncio.CancelledError):
        await living
    await world.stop()


async def test_new_mail_is_pushed_to_who_idles(world: World, hooks: Hooks) -> None:
    one = world.mailboxes[0]
    async with opened(Account(one.host, one.port, "none", one.user, one.password)) as session:
        state = await session.examine(b"INBOX")
        living = asyncio.create_task(world.live(hooks.url, world.secret))

        changed = await session.idle(20)

        found = await session.fetch(await session.uid_search(f"{state.uidnext}:*"))
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)

    assert changed
    assert parse(found[0].body or b"").subject


async def test_the_source_of_the_mailbox_reads_the_past_and_then_life(world: World, hooks: Hooks) -> None:
    one, intake = world.mailboxes[0], MemoryIntake()
    source = ImapSource(
        MailboxSettings(
            one.name, one.address, one.host, one.port, one.user, one.password, "none", one.aliases, poll_seconds=0.1
        )
    )
    reading = asyncio.create_task(source.run(intake))
    await intake.until_ok()
    past = len(intake.mails)

    living = asyncio.create_task(world.live(hooks.url, world.secret))
    while len({mail.location.folder for mail in intake.mails[past:]}) < 2:
        await intake.until_mails(len(intake.mails) + 1)
    for task in (living, reading):
        task.cancel()
    await asyncio.gather(living, reading, return_exceptions=True)

    assert past > 250
    assert {mail.location.folder for mail in intake.mails[past:]} == {"INBOX", "Sent"}
    assert len({(mail.location.folder, mail.location.uid) for mail in intake.mails}) == len(intake.mails)


async def test_a_post_that_fails_is_repeated_with_its_id(world: World, hooks: Hooks) -> None:
    hooks.refusals = 1

    assert await world.post_history(hooks.url, world.secret, NOW) == len(hooks.arrivals)

    assert max(Counter(hooks.ids).values()) == 2


async def test_a_post_that_is_refused_is_lost_at_once(world: World, hooks: Hooks) -> None:
    hooks.status = 403

    assert await world.post_history(hooks.url, world.secret, NOW) == 0

    assert max(Counter(hooks.ids).values()) == 1


def stored(world: World) -> int:
    return sum(len(folder.mails) for one in world.accounts for folder in one.folders.values())


def has_sms(hooks: Hooks) -> bool:
    return any(isinstance(one, SmsArrived) for one in hooks.arrivals)
