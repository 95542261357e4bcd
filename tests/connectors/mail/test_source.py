"""A whole mailbox on a real Dovecot: first read, push, restart, refusals, and a mailbox that stays as it was."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
import trustme
import uvloop

from connectors.base import ConnectorError, Refused, Source, Unavailable
from connectors.mail.account import Tls
from connectors.mail.source import ImapSource, MailboxSettings
from tests.fakes.arrivals import raw_mail
from tests.fakes.dovecot import PASSWORD, Dovecot, free_ports, running_dovecot
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_proxy import CutLine

pytestmark = pytest.mark.peer("dovecot")

NEVER = 3600.0
EVERYTHING = 10**9


@pytest.fixture
def user(dovecot: Dovecot) -> str:
    return dovecot.new_user()


@pytest.fixture
def source(dovecot: Dovecot, user: str) -> ImapSource:
    return of(dovecot, user)


def of(dovecot: Dovecot, user: str, **more: object) -> ImapSource:
    """The mailbox of a user, over TLS, with push and no poll that could do its work."""
    settings = MailboxSettings(
        "sales", user, "localhost", dovecot.imaps, user, PASSWORD, ssl_context=dovecot.trusting(), poll_seconds=NEVER
    )
    return ImapSource(replace(settings, **more))  # type: ignore[arg-type]


@asynccontextmanager
async def running(source: ImapSource, intake: MemoryIntake) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(source.run(intake))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def read(source: ImapSource, intake: MemoryIntake | None = None) -> MemoryIntake:
    intake = intake or MemoryIntake()
    await source.catch_up(intake)
    return intake


def test_it_is_a_source(source: ImapSource) -> None:
    assert isinstance(source, Source)


async def test_the_first_read_brings_every_folder_but_junk_trash_and_drafts(
    dovecot: Dovecot, user: str, source: ImapSource
) -> None:
    for n in range(250):
        dovecot.deliver(user, raw_mail(f"inbox-{n}"))
    for folder in ("Sent", "Клиенты.Ромашка & Ко", "Junk", "Trash", "Drafts"):
        for n in range(2):
            dovecot.append(user, raw_mail(f"{n}", subject=folder), folder)
    intake = MemoryIntake()

    async with running(source, intake):
        await intake.until_ok()

    assert sorted(intake.uids("INBOX")) == list(range(1, 251))
    assert {one.location.folder: one.folder_role for one in intake.mails} == {
        "INBOX": "inbox",
        "Sent": "sent",
        "Клиенты.Ромашка & Ко": "",
    }
    assert len(intake.mails) == 254
    assert intake.reports[-2].done == intake.reports[-2].total == 254


async def test_bytes_are_as_they_were_delivered(dovecot: Dovecot, user: str, source: ImapSource) -> None:
    raw = b"Subject: =?utf-8?b?0KHRh9GR0YI=?=\r\n\r\n\xff\xfe * 1 FETCH (UID 9)\r\nA1 OK\r\n.\r\n)\r\n\r\n"
    at = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    dovecot.deliver(user, raw, at=at)
    dovecot.append(user, raw, "Sent")

    intake = await read(source)

    assert [one.raw for one in intake.mails] == [raw, raw]
    assert [one.size for one in intake.mails] == [len(raw)] * 2
    assert intake.mails[0].received_at == at
    assert [one.seen for one in intake.mails] == [False, True]


@pytest.mark.parametrize("connections", [1, 3])
async def test_new_mail_arrives_by_idle(dovecot: Dovecot, user: str, connections: int) -> None:
    dovecot.deliver(user, raw_mail("old"))
    dovecot.append(user, raw_mail("ours"))
    intake = MemoryIntake()

    async with running(of(dovecot, user, connections=connections), intake):
        await intake.until_ok()
        for n in range(3):
            dovecot.deliver(user, raw_mail(f"new-{n}"))
            await intake.until_mails(3 + n)

    assert intake.uids() == [1, 2, 3, 4]
    assert [batch.backfill for batch in intake.batches if batch.arrivals][-3:] == [False] * 3


@pytest.mark.parametrize("connections", [1, 3])
async def test_new_mail_in_other_folders_arrives_by_notify(dovecot: Dovecot, user: str, connections: int) -> None:
    dovecot.append(user, raw_mail("filed"), "Archive")
    intake = MemoryIntake()

    async with running(of(dovecot, user, connections=connections, sweep_seconds=NEVER), intake):
        await intake.until_ok()
        dovecot.append(user, raw_mail("ours"), "Sent")  # a folder that there was not
        await intake.until_mails(2)
        dovecot.append(user, raw_mail("filed too"), "Archive")
        await intake.until_mails(3)
        dovecot.deliver(user, raw_mail("new"))
        await intake.until_mails(4)

    assert (intake.uids("Archive"), intake.uids("Sent"), intake.uids()) == ([1, 2], [1], [1])


async def test_new_mail_in_other_folders_arrives_by_polling(dovecot: Dovecot, user: str) -> None:
    dovecot.append(user, raw_mail("ours"))
    intake = MemoryIntake()

    async with running(of(dovecot, user, poll_seconds=0.1), intake):
        await intake.until_ok()
        dovecot.append(user, raw_mail("ours too"))
        await intake.until_mails(2)

    assert intake.uids("Sent") == [1, 2]


async def test_a_restart_goes_on_from_the_checkpoint(dovecot: Dovecot, user: str) -> None:
    for n in range(3):
        dovecot.deliver(user, raw_mail(f"{n}"))
    intake = await read(of(dovecot, user))
    dovecot.deliver(user, raw_mail("meanwhile"))

    await read(of(dovecot, user), intake)

    assert sorted(intake.uids()) == [1, 2, 3, 4]
    assert intake.checkpoints["INBOX"]["live_uid"] == 4


async def test_another_uidvalidity_is_read_by_its_headers(dovecot: Dovecot, user: str, source: ImapSource) -> None:
    for n in range(3):
        dovecot.deliver(user, raw_mail(f"{n}"))
    intake = await read(source)
    dovecot.renumber(user, uidvalidity=777)

    await read(source, intake)

    assert len(intake.mails) == 3
    assert {one.location.uidvalidity for one in intake.again} == {777}
    assert sorted(one.location.uid for one in intake.again) == [4, 5, 6]


async def test_a_folder_made_anew_under_its_old_name_is_read(dovecot: Dovecot, user: str, source: ImapSource) -> None:
    dovecot.append(user, raw_mail("1"), "Проект")
    intake = await read(source)
    with dovecot.client(user) as program:
        program.delete('"&BB8EQAQ+BDUEOgRC-"')
    dovecot.append(user, raw_mail("2"), "Проект")

    await read(source, intake)

    assert intake.uids("Проект") == [1, 1]


async def test_the_mailbox_stays_as_it_was(dovecot: Dovecot, user: str) -> None:
    dovecot.append(user, raw_mail("1"), "INBOX", flags=r"(\Flagged)")
    dovecot.append(user, raw_mail("2"), "INBOX", flags=r"(\Seen \Answered)")
    dovecot.append(user, b"Subject: large\r\n\r\n" + b"x" * 500_000, "INBOX", flags="()")
    intake = MemoryIntake()

    async with running(of(dovecot, user, message_bytes_max=100_000), intake):
        await intake.until_ok()
        dovecot.deliver(user, raw_mail("3"))
        await intake.until_mails(4)

    assert dovecot.flags(user) == ["", "", "F", "RS"]


async def test_how_far_back_the_first_read_goes(dovecot: Dovecot, user: str) -> None:
    for day in (1, 10, 20):
        dovecot.deliver(user, raw_mail(f"{day}"), at=datetime(2026, 5, day, 12, tzinfo=UTC))
    intake = await read(of(dovecot, user, since=date(2026, 5, 10)))
    assert len(intake.mails) == 2

    await read(of(dovecot, user, since=date(2026, 4, 1)), intake)

    assert len(intake.mails) == 3


async def test_a_mail_above_the_limit_is_cut(dovecot: Dovecot, user: str) -> None:
    raw = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" + b"y" * 900_000
    dovecot.deliver(user, raw)
    dovecot.deliver(user, raw_mail("small"))

    intake = await read(of(dovecot, user, message_bytes_max=800_000))

    sizes = sorted((len(one.raw), one.size) for one in intake.mails)
    assert sizes[1] == (256 * 1024, len(raw))
    assert sizes[0][0] == sizes[0][1]


@pytest.mark.parametrize("tls", ["implicit", "starttls", "none"])
async def test_a_check_says_what_is_there(dovecot: Dovecot, user: str, tls: Tls) -> None:
    port = dovecot.imaps if tls == "implicit" else dovecot.imap
    dovecot.append(user, raw_mail("1"))

    said = await of(dovecot, user, tls=tls, port=port).check()

    privacy = {"implicit": "TLS", "starttls": "STARTTLS", "none": "no TLS"}[tls]
    assert said.startswith(f"logged in to localhost:{port} as {user} ({privacy}; IDLE")
    assert said.endswith("2 folders to read: INBOX, Sent")


# Refusals -------------------------------------------------------------------------------------------------------------


async def refusal(source: ImapSource) -> ConnectorError:
    with pytest.raises(ConnectorError) as error:
        await source.check()
    with pytest.raises(type(error.value)):
        await source.run(MemoryIntake())
    return error.value


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_a_wrong_password(dovecot: Dovecot, user: str, tls: Tls) -> None:
    port = dovecot.imaps if tls == "implicit" else dovecot.imap

    error = await refusal(of(dovecot, user, password="wrong", tls=tls, port=port))

    assert (type(error), error.state) == (Refused, "needs_reauth")
    assert f"refuses the login of {user}" in str(error)
    assert "check user and password" in str(error)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_a_certificate_that_nobody_here_trusts(dovecot: Dovecot, user: str, tls: Tls) -> None:
    port = dovecot.imaps if tls == "implicit" else dovecot.imap

    error = await refusal(of(dovecot, user, ssl_context=None, tls=tls, port=port))

    assert (type(error), error.state) == (Refused, "misconfigured")
    assert "signed by nobody this machine trusts" in str(error)
    assert "tls_ca" in str(error)


async def test_a_certificate_for_another_host(dovecot: Dovecot, user: str) -> None:
    error = await refusal(of(dovecot, user, host="127.0.0.1"))

    assert (type(error), error.state) == (Refused, "misconfigured")
    assert "is for another name than 127.0.0.1" in str(error)


async def test_a_self_signed_certificate(dovecot: Dovecot, user: str) -> None:
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.private_key_pem.tempfile() as key, authority.cert_pem.tempfile() as certificate:
        serving.load_cert_chain(certificate, key)

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=serving) as server:
        error = await refusal(of(dovecot, user, port=server.sockets[0].getsockname()[1]))

    assert (type(error), error.state) == (Refused, "misconfigured")
    assert "signed by nobody this machine trusts" in str(error)


async def test_a_port_without_tls_from_the_start(dovecot: Dovecot, user: str) -> None:
    error = await refusal(of(dovecot, user, port=dovecot.imap))

    assert (type(error), error.state) == (Refused, "misconfigured")
    assert "imap+starttls://" in str(error)


async def test_a_port_where_nobody_listens(dovecot: Dovecot, user: str) -> None:
    [port] = free_ports(1)

    error = await refusal(of(dovecot, user, port=port))

    assert (type(error), error.state) == (Unavailable, "unreachable")
    assert f"nothing listens on localhost:{port}" in str(error)


async def test_a_host_that_does_not_exist(dovecot: Dovecot, user: str) -> None:
    error = await refusal(of(dovecot, user, host="imap.ringmail.invalid"))

    assert (type(error), error.state) == (Unavailable, "unreachable")
    assert "imap.ringmail.invalid was not found" in str(error)


# Ends -----------------------------------------------------------------------------------------------------------------


async def test_cancelling_ends_at_once_and_leaves_nobody_logged_in(dovecot: Dovecot, user: str) -> None:
    dovecot.append(user, raw_mail("1"))
    intake = MemoryIntake()
    task = asyncio.create_task(of(dovecot, user).run(intake))
    await intake.until_ok()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async with asyncio.timeout(20):
        while dovecot.log().count(f"imap({user})") < 3:  # the other mail program, and both of our connections
            await asyncio.sleep(0.02)


async def test_a_server_that_stops_ends_the_run_and_coming_back_nothing_is_lost() -> None:
    intake = MemoryIntake()
    with running_dovecot() as server:
        user = server.new_user()
        server.deliver(user, raw_mail("1"))
        source = of(server, user)
        async with running(source, intake) as task:
            await intake.until_ok()
            await asyncio.to_thread(server.halt)
            with pytest.raises(Unavailable):
                await task
        server.deliver(user, raw_mail("2"))
        server.resume()

        await read(source, intake)

    assert intake.uids() == [1, 2]


async def test_wherever_the_line_is_cut_every_mail_comes_once(dovecot: Dovecot) -> None:
    user = dovecot.new_user()
    for n in range(12):
        dovecot.deliver(user, raw_mail(f"{n}", text="Здравствуйте! " * n))
    dovecot.append(user, raw_mail("ours"))
    whole = 13
    passed = EVERYTHING
    async with CutLine(dovecot.imap, EVERYTHING) as line:
        await read(of(dovecot, user, host=line.host, tls="none", port=line.port))
        passed -= line.bytes_left

    for cut_at in range(1, passed, passed // 60):
        intake = MemoryIntake()
        async with CutLine(dovecot.imap, cut_at) as line:
            source = of(dovecot, user, host=line.host, tls="none", port=line.port)
            with contextlib.suppress(Unavailable):
                await source.catch_up(intake)
            line.bytes_left = EVERYTHING
            await source.catch_up(intake)

        assert len(intake.mails) == whole, f"cut at {cut_at}"
        assert len({one.raw for one in intake.mails}) == whole, f"cut at {cut_at}"
        assert intake.states[-1] == "ok"


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_it_runs_on_the_loop_of_the_daemon_too(dovecot: Dovecot, user: str, tls: Tls) -> None:
    port = dovecot.imaps if tls == "implicit" else dovecot.imap
    dovecot.deliver(user, raw_mail("1"))
    intake = MemoryIntake()

    async def scenario() -> None:
        async with running(of(dovecot, user, tls=tls, port=port), intake):
            await intake.until_ok()
            dovecot.deliver(user, raw_mail("2"))
            await intake.until_mails(2)
        assert (await refusal(of(dovecot, user, tls=tls, port=port, ssl_context=None))).state == "misconfigured"
        assert (await refusal(of(dovecot, user, tls=tls, port=port, password="wrong"))).state == "needs_reauth"

    uvloop.run(scenario())

    assert intake.uids() == [1, 2]
