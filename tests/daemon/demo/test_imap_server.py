"""The sample IMAP server, through the connector that reads it in earnest, and by hand where that is not enough."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest

from connectors.base import Refused
from connectors.mail.account import Account as Login
from connectors.mail.arguments import encode_name
from connectors.mail.folders import choose
from connectors.mail.session import opened
from daemon.demo.imap_server import ImapServer
from daemon.demo.imap_store import Account

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FOLDERS = {"INBOX": "", "Sent": "\\Sent", "Архив": "\\Archive", "Junk": "\\Junk"}
USER = "sales@romashka.example"


@pytest.fixture
async def server() -> AsyncIterator[ImapServer]:
    made = ImapServer([Account(USER, "pass word", FOLDERS, 77)])
    await made.start()
    yield made
    await made.stop()


def login(server: ImapServer, password: str = "pass word") -> Login:
    return Login("127.0.0.1", server.port, "none", USER, password)


def letter(number: int, size: int = 0) -> bytes:
    return f"Message-ID: <{number}@a.example>\r\nSubject: {number}\r\n\r\n".encode() + b"x" * size + b"\r\n"


async def test_folders_are_found_by_their_use_and_their_russian_names(server: ImapServer) -> None:
    async with opened(login(server)) as session:
        folders = choose(await session.list_folders())

    assert [(one.name, one.role) for one in folders] == [("INBOX", "inbox"), ("Sent", "sent"), ("Архив", "archive")]
    assert folders[2].raw == encode_name("Архив")


async def test_mails_come_out_as_they_were_put_in(server: ImapServer) -> None:
    mails = [letter(n, 1000 * n) for n in range(3)]
    for raw in mails:
        server.deliver(USER, "Архив", raw, NOON, is_seen=True)

    async with opened(login(server)) as session:
        state = await session.examine(encode_name("Архив"))
        found = await session.fetch(await session.uid_search("1:*"))
        begun = await session.fetch([2], bytes_max=20)
        sizes = await session.sizes([1, 3, 99])

    assert (state.uidvalidity, state.uidnext, state.exists) == (77, 4, 3)
    assert [(one.uid, one.body, one.internal_date) for one in found] == [
        (n, raw, NOON) for n, raw in enumerate(mails, 1)
    ]
    assert found[0].flags == frozenset({"\\seen"})
    assert begun[0].body == mails[1][:20]
    assert [(one.uid, one.size) for one in sizes] == [(1, len(mails[0])), (3, len(mails[2]))]


async def test_searches_go_by_uid_and_by_day(server: ImapServer) -> None:
    for day in (1, 10, 20):
        server.deliver(USER, "INBOX", letter(day), NOON.replace(day=day))

    async with opened(login(server)) as session:
        await session.examine(b"INBOX")
        assert list(await session.uid_search("2:*")) == [2, 3]
        assert list(await session.uid_search("1:*", date(2026, 11, 10))) == [2, 3]
        assert list(await session.uid_search("9:*")) == [3]  # RFC 9051 §9: 9:* is *:9


async def test_idle_hears_of_new_mail_at_once(server: ImapServer) -> None:
    async with opened(login(server)) as session:
        await session.examine(b"INBOX")
        waiting = asyncio.create_task(session.idle(20))
        await asyncio.sleep(0)
        server.deliver(USER, "INBOX", letter(1), NOON)
        changed = await waiting
        found = await session.uid_search("1:*")

    assert changed is True
    assert list(found) == [1]


async def test_a_mail_that_came_between_two_commands_is_told_with_the_next(server: ImapServer) -> None:
    async with opened(login(server)) as session:
        await session.examine(b"INBOX")
        server.deliver(USER, "INBOX", letter(1), NOON)
        await session.noop()
        assert session.take_changes()


async def test_a_wrong_password_is_refused(server: ImapServer) -> None:
    with pytest.raises(Refused):
        async with opened(login(server, "guess")):
            pass


async def spoken(server: ImapServer, *lines: bytes) -> bytes:
    """What the server says to these lines until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(b"\r\n".join(lines) + b"\r\n")
        return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_status_tells_of_a_folder_that_is_not_open(server: ImapServer) -> None:
    server.deliver(USER, "Sent", letter(1), NOON)

    said = await spoken(
        server,
        b'1 login sales@romashka.example "pass word"',
        b"2 status Sent (messages uidnext uidvalidity unseen)",
        b"3 status nowhere (messages)",
        b"4 logout",
    )

    assert b'* STATUS "Sent" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 77 UNSEEN 1)\r\n' in said
    assert b"3 NO" in said


async def test_what_would_change_something_is_answered_no(server: ImapServer) -> None:
    said = await spoken(
        server,
        b'1 login sales@romashka.example "pass word"',
        b"2 select inbox",
        b"3 store 1 +flags (\\Deleted)",
        b"4 expunge",
        b"5 logout",
    )

    assert b"1 OK" in said
    assert b"2 OK [READ-ONLY]" in said
    assert b"3 NO" in said
    assert b"4 NO" in said
    assert said.endswith(b"5 OK done\r\n")


@pytest.mark.parametrize(
    "line",
    [
        b"1 select inbox", b"1 fetch 1 all", b"1 dance", b'1 login "sales', b"1 login ((((((a", b"1 uid", b"1 ",
        b"1 authenticate plain !!!", b"1 status", b"*", b"\xff\xfe",
    ],
)  # fmt: skip
async def test_nonsense_is_answered_bad_and_the_talk_goes_on(server: ImapServer, line: bytes) -> None:
    said = await spoken(server, line, b"9 logout")

    assert b"BAD" in said
    assert b"9 OK" in said


@pytest.mark.parametrize("line", [b"1 uid fetch 1:* envelope", b"1 uid search header x y", b"1 uid fetch a flags"])
async def test_what_is_not_known_here_is_answered_bad(server: ImapServer, line: bytes) -> None:
    server.deliver(USER, "INBOX", letter(1), NOON)

    said = await spoken(server, b'0 login sales@romashka.example "pass word"', b"0 examine inbox", line, b"9 logout")

    assert b"1 BAD" in said
    assert b"9 OK" in said


async def test_long_lines_and_literals_end_the_connection(server: ImapServer) -> None:
    assert b"* BYE a line is too long" in await spoken(server, b"1 login " + b"a" * 100_000)
    assert b"* BYE a literal is too long" in await spoken(server, b"1 login {99999999}")


async def test_guessing_passwords_ends_the_connection(server: ImapServer) -> None:
    said = await spoken(server, *[b"1 login sales@romashka.example guess"] * 5)

    assert said.count(b"1 NO") == 2
    assert b"* BYE too many wrong passwords" in said


async def test_there_is_a_last_connection() -> None:
    server = ImapServer([Account(USER, "p", FOLDERS, 1)], connections_max=1)
    await server.start()
    async with opened(login(server, "p")):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert await reader.read() == b"* BYE too many connections\r\n"
        writer.close()
    await server.stop()


async def test_stopping_ends_connections_that_idle() -> None:
    server = ImapServer([Account(USER, "p", FOLDERS, 1)])
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"1 login sales@romashka.example p\r\n2 examine inbox\r\n3 idle\r\n")
    await reader.readuntil(b"+ idling")

    await server.stop()

    assert (await reader.read()).strip() == b""
    writer.close()
