"""A mailbox source on a scripted server, read once or running, as tests want it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from connectors.mail.account import Account
from connectors.mail.source import ImapSource, MailboxSettings
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import Book, ImapScript


def bodies(*uids: int) -> dict[int, bytes]:
    return {uid: b"Subject: %d\r\n\r\nhello\r\n" % uid for uid in uids}


def account_of(server: ImapScript) -> Account:
    return Account(server.host, server.port, "none", "anna@example.org", "secret")


def source_of(server: ImapScript) -> ImapSource:
    address = "anna@example.org"
    return ImapSource(
        MailboxSettings(
            "sales", address, server.host, server.port, address, "secret", "none", message_bytes_max=100_000
        )
    )


def changed(source: ImapSource, **more: object) -> ImapSource:
    return ImapSource(replace(source.settings, **more))  # type: ignore[arg-type]


async def read(book: Book, intake: MemoryIntake | None = None, **more: object) -> MemoryIntake:
    """Reads a mailbox once to its end."""
    intake = intake or MemoryIntake()
    async with ImapScript(book) as server:
        await changed(source_of(server), **more).catch_up(intake)
    return intake


@asynccontextmanager
async def running(server: ImapScript, intake: MemoryIntake, **more: object) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(changed(source_of(server), **more).run(intake))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
