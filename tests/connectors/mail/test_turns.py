"""Many mailboxes on servers that bear few connections, and servers that have their own ways: every mail comes all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from connectors.base import Unavailable
from connectors.mail import quirks
from connectors.mail.hosts import Hosts
from connectors.mail.source import ImapSource
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import CLOSE, OK, Box, ImapScript
from tests.fakes.imap_source import bodies, running, source_of

TWO = b'* LIST () "/" INBOX\r\n* LIST () "/" Other\r\n' + OK


def refusing(server: ImapScript, room: int) -> None:
    """Greets no more than so many at a time."""

    def greet(_: str) -> bytes:
        is_full = len(server.writers) > room
        return b"* BYE Too many connections from your IP\r\n" + CLOSE if is_full else b"* OK ready\r\n"

    server.book["GREETING"] = greet


async def keep_running(source: ImapSource, intake: MemoryIntake) -> None:
    """Starts it again when it fails, as the supervisor does."""
    while True:
        try:
            await source.run(intake)
        except Unavailable:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def all_running(server: ImapScript, count: int, turn_seconds: float) -> AsyncIterator[list[MemoryIntake]]:
    """So many mailboxes of one host, each with an account of its own."""
    hosts, intakes = Hosts(turn_seconds=turn_seconds), [MemoryIntake() for _ in range(count)]
    settings = replace(source_of(server).settings, poll_seconds=0.05)
    sources = [ImapSource(replace(settings, user=f"user{n}"), hosts) for n in range(count)]
    tasks = [asyncio.create_task(keep_running(*pair)) for pair in zip(sources, intakes, strict=True)]
    try:
        yield intakes
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_every_mailbox_has_its_turn_where_a_host_bears_two_connections() -> None:
    box = Box(bodies(1, 2))
    async with ImapScript(box.book(LIST=TWO)) as server:
        refusing(server, room=2)
        async with all_running(server, count=6, turn_seconds=0.02) as intakes:
            for intake in intakes:
                await intake.until_ok()
            box.mails.update(bodies(3))
            for intake in intakes:
                await intake.until_mails(3)

    assert [sorted(intake.uids()) for intake in intakes] == [[1, 2, 3]] * 6


async def test_who_waits_for_a_place_says_so_and_what_was_ok_stays_ok() -> None:
    async with ImapScript(Box(bodies(1)).book()) as server:
        refusing(server, room=1)
        async with all_running(server, count=3, turn_seconds=0.02) as intakes:
            for intake in intakes:
                await intake.until_ok()
            while not any("its turn soon" in report.detail for intake in intakes for report in intake.reports[-1:]):
                await asyncio.sleep(0.005)

    told = [report for intake in intakes for report in intake.reports if "its turn soon" in report.detail]
    assert {report.state for report in told} <= {"ok", "catching_up"}


async def test_a_server_that_asks_for_time_is_left_alone_by_every_connection() -> None:
    slow = b"* BYE Request is throttled. Suggested Backoff Time: 90000 milliseconds\r\n"
    async with ImapScript(Box(bodies(1)).book(LIST=TWO)) as server:
        source = source_of(server)
        running_one = asyncio.create_task(source.run(MemoryIntake()))
        await server.heard("IDLE")
        server.push(slow)
        with pytest.raises(Unavailable) as error:
            await running_one
        connections = server.connections
        with pytest.raises(Unavailable, match=r"waits for \d+ seconds more"):
            await source.run(MemoryIntake())

    assert (error.value.state, error.value.retry_after) == ("throttled", 90.0)
    assert server.connections == connections


@pytest.mark.parametrize("where", ["AUTHENTICATE", "IDLE", "SEARCH", "STATUS", "NOTIFY"])
async def test_wherever_a_server_asks_for_time_the_run_ends_with_it(where: str) -> None:
    able = b"%T OK [CAPABILITY IMAP4rev1 IDLE NOTIFY] welcome\r\n"
    slow = b"%T NO Request is throttled. Suggested Backoff Time: 90000 milliseconds\r\n"
    book = Box(bodies(1)).book(**{"LIST": TWO, "AUTHENTICATE": able, "NOTIFY": b"%T NO not here\r\n", where: slow})
    async with ImapScript(book) as server, running(server, MemoryIntake(), connections=1, sweep_seconds=0.01) as task:
        with pytest.raises(Unavailable) as error:
            await task

    assert (error.value.state, error.value.retry_after) == ("throttled", 90.0)


# Ways of their own --------------------------------------------------------------------------------------------------------


async def test_a_server_that_wants_to_know_who_we_are_is_told_before_anything_is_opened() -> None:
    coremail = b"* OK Coremail System IMap Server Ready(163com)\r\n"
    book = Box(bodies(1)).book(GREETING=coremail, ID=b"* ID NIL\r\n" + OK)
    async with ImapScript(book) as server, running(server, intake := MemoryIntake(), poll_seconds=0.05):
        await intake.until_ok()

    asked = [line.split()[0] for line in server.asked]
    assert asked.index("AUTHENTICATE") < asked.index("ID") < asked.index("EXAMINE")
    assert "IDLE" not in asked


async def test_a_sign_of_life_is_one_that_the_server_counts() -> None:
    coremail = b"* OK Coremail System IMap Server Ready(163com)\r\n"
    status = b"* STATUS INBOX (MESSAGES 0)\r\n" + OK
    book = Box(bodies(1)).book(GREETING=coremail, ID=OK, STATUS=status)
    async with ImapScript(book) as server, running(server, MemoryIntake(), poll_seconds=0.05):
        await server.heard("STATUS INBOX")

    assert "NOOP" not in server.asked


async def test_a_server_known_for_few_connections_is_read_with_one() -> None:
    yahoo = b"* OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN SASL-IR] IMAP4rev1 imapgate-1.8\r\n"
    book, intake = Box(bodies(1)).book(LIST=TWO, GREETING=yahoo), MemoryIntake()
    async with ImapScript(book) as server, running(server, intake):
        await server.heard("IDLE")
        await intake.until_ok()

    assert server.connections == 1
    assert quirks.of_server("", yahoo, ()).connections == 1


# Pushes that do not come --------------------------------------------------------------------------------------------------


async def test_mail_that_the_server_did_not_tell_of_is_counted_and_told() -> None:
    box, intake = Box(bodies(1)), MemoryIntake()
    async with ImapScript(box.book()) as server, running(server, intake, poll_seconds=0.05):
        await server.heard("IDLE")
        box.mails.update(bodies(2))
        await intake.until_mails(2)
        while "IDLE is renewed every 270 s" not in intake.reports[-1].detail:
            await asyncio.sleep(0.005)

    assert intake.reports[-1].state == "ok"
    assert "1 times mail was there untold" in intake.reports[-1].detail


async def test_mail_that_was_told_of_is_no_missed_push() -> None:
    box, intake = Box(bodies(1)), MemoryIntake()
    async with ImapScript(box.book()) as server, running(server, intake, poll_seconds=0.2):
        for uid in (2, 3, 4):
            await server.heard("IDLE")
            box.mails.update(bodies(uid))
            server.push(b"* %d EXISTS\r\n" % uid)
            await intake.until_mails(uid)
        polled = server.asked.count("EXAMINE INBOX")
        await server.heard("EXAMINE INBOX", polled + 2)

    assert not any("untold" in report.detail for report in intake.reports)
