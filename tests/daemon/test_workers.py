"""Mails read on the loop and in processes: what is read is the same, and what kills a parser costs one mail."""

import asyncio
import base64
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import uvloop

from daemon.worker import Bounds
from daemon.workers import NoWorker, Workers
from interactions.mime import TooComplex, parse
from tests.fakes.arrivals import raw_mail
from tests.fakes.parsers import heavy

OBEY = "tests.fakes.parsers:obey"
ROOT = Path(__file__).parents[2]
HEADER = (
    b"From: a@x.example\r\nTo: b@x.example\r\nDate: Mon, 23 Nov 2026 12:30:00 +0300\r\nMessage-ID: <1@x.example>\r\n"
)
HTML = b"Content-Type: text/html; charset=utf-8\r\n\r\n"
PARAGRAPH = "<p>Здравствуйте, <b>Иван</b>!</p>\r\n".encode()
FILE = base64.encodebytes(bytes(range(256)) * 2000)
WITH_FILE = (
    b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\nContent-Type: text/plain\r\n\r\nHello\r\n--q\r\n"
    b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + FILE + b"\r\n--q--\r\n"
)
TWICE = (
    "the process that read it was killed from outside, and once more when it was tried again; "
    "the system may be short of memory"
)


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    """Whose processes do what a mail says."""
    opened = Workers(parser=OBEY)
    await opened.start()
    yield opened
    await opened.stop()


async def begun(folder: Path) -> int:
    """The process that has begun the deed of a mail."""
    while not (found := list(folder.iterdir())):
        await asyncio.sleep(0.01)
    return int(found[0].name)


async def gone(pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.01)


async def test_a_small_mail_is_read_in_place(workers: Workers) -> None:
    raw = raw_mail("1")

    assert await workers.parse(raw) == parse(raw)

    assert workers.pids == []


@pytest.mark.parametrize(
    "raw",
    [
        HEADER + WITH_FILE.replace(b"Hello", b"Hello" * 20_000),
        HEADER + WITH_FILE.replace(FILE, FILE * 4),
        HEADER + "Subject: Заказ\r\n".encode() + WITH_FILE,
        HEADER + HTML + PARAGRAPH * 2000,
        HEADER + b"Cc: " + b", ".join(b"a%d@x.example" % n for n in range(2000)) + b"\r\n\r\nHello",
        HEADER + b"Subject: =?utf-8?q?=ED=A0=80?=\r\n\r\n" + b"\xff\x00" * 150_000,
        b"\n" * 300_000,
    ],
    ids=["file and much text", "large file", "8-bit header", "html", "long header", "odd bytes", "nothing"],
)
async def test_what_a_process_reads_is_what_would_be_read_in_place(raw: bytes) -> None:
    workers = Workers()
    await workers.start()

    assert await workers.parse(raw) == parse(raw)

    assert len(workers.pids) == 1
    await workers.stop()


async def test_what_is_nearly_all_files_is_read_in_place() -> None:
    raw = HEADER + WITH_FILE
    workers = Workers()
    await workers.start()

    assert await workers.parse(raw) == parse(raw)

    assert workers.pids == []
    await workers.stop()


async def test_a_run_of_small_mails_lets_others_have_a_turn(workers: Workers) -> None:
    raw = HEADER + b"Content-Type: text/plain\r\n\r\n" + b"Hello\r\n" * 30_000
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(another())
    for _ in range(200):
        await workers.parse(raw)
    other.cancel()

    assert turns > 2
    assert workers.pids == []


async def test_runs_of_small_mails_take_turns(workers: Workers) -> None:
    raw = HEADER + b"Content-Type: text/plain\r\n\r\n" + b"Hello\r\n" * 30_000
    done: list[str] = []

    async def run(name: str) -> None:
        for _ in range(100):
            await workers.parse(raw)
            done.append(name)

    await asyncio.gather(run("first"), run("second"))

    assert "second" in done[:100]


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        ("crash", "the parser crashed on it (SIGSEGV)"),
        ("abort", "the parser gave up on it (SIGABRT); perhaps reading it needed more than 512 MB of memory"),
        ("leave", "the parser crashed on it (it ended with code 3)"),
        ("quit", "the parser failed on it (SystemExit)"),
        ("raise word", "the parser failed on it (ValueError)"),
        ("babble", "the parser was led to an answer that cannot be used"),
        ("answer nothing", "the parser was led to an answer that cannot be used"),
        ("answer number", "the parser was led to an answer that cannot be used"),
        ("answer path", "the parser was led to an answer that cannot be used"),
        ("answer code", "the parser was led to an answer that cannot be used"),
        ("answer much", "the parser was led to an answer that cannot be used"),
        ("die", TWICE),
    ],
)
async def test_a_mail_that_breaks_the_parser_costs_that_mail_only(workers: Workers, deed: str, reason: str) -> None:
    with pytest.raises(TooComplex) as raised:
        await workers.parse(heavy(deed))

    assert str(raised.value) == reason
    assert (await workers.parse(heavy("Заказ"))).subject == "Заказ"
    assert len(workers.pids) == 1


@pytest.mark.parametrize(
    ("deed", "bounds", "reason"),
    [
        ("eat", Bounds(memory_bytes_max=300 << 20), "reading it needed more than 300 MB of memory"),
        ("spin", Bounds(cpu_seconds_max=0), "reading it took more than 0 s of processor time"),
        ("hang", Bounds(wall_seconds_max=0.5), "reading it took more than 0.5 s"),
    ],
)
async def test_a_mail_that_needs_too_much_is_given_up(deed: str, bounds: Bounds, reason: str, tmp_path: Path) -> None:
    workers = Workers(bounds=bounds, parser=OBEY)
    await workers.start()

    with pytest.raises(TooComplex, match=f"^{reason}$"):
        await workers.parse(heavy(f"{deed} {tmp_path}"))

    if deed == "hang":
        await gone(await begun(tmp_path))
    await workers.stop()


async def test_a_mail_is_never_read_in_half_for_want_of_memory() -> None:
    workers = Workers(bounds=Bounds(memory_bytes_max=150 << 20))
    await workers.start()

    with pytest.raises(TooComplex, match="150 MB of memory"):
        await workers.parse(HEADER + "Subject: Заказ\r\n".encode() + WITH_FILE.replace(FILE, FILE * 40))

    await workers.stop()


async def test_a_mail_larger_than_the_memory_is_given_up() -> None:
    workers = Workers(bounds=Bounds(memory_bytes_max=200 << 20))
    await workers.start()

    with pytest.raises(TooComplex, match=r"^reading it needed more than 200 MB of memory$"):
        await workers.parse(b"\r\n" + bytes(220 << 20))

    await workers.stop()


async def test_a_mail_beyond_the_hard_bounds_keeps_its_reason(workers: Workers) -> None:
    with pytest.raises(TooComplex, match="its header is 300000 bytes long"):
        await workers.parse(b"X-A: " + b"a" * 299_995 + b"\r\n\r\nHello")


async def test_a_process_that_was_killed_from_outside_is_no_fault_of_the_mail(workers: Workers, tmp_path: Path) -> None:
    mail = await workers.parse(heavy(f"die_once {tmp_path}"))

    assert mail.subject == f"die_once {tmp_path}"
    assert len(list(tmp_path.iterdir())) == 2


async def test_a_process_that_was_killed_while_it_waited_is_replaced(workers: Workers) -> None:
    await workers.parse(heavy("1"))
    [first] = workers.pids

    os.kill(first, signal.SIGKILL)
    await gone(first)

    assert (await workers.parse(heavy("2"))).subject == "2"
    assert first not in workers.pids


async def test_a_process_reads_one_mail_after_the_other(workers: Workers) -> None:
    await workers.parse(heavy("1"))
    first = workers.pids

    for n in range(2, 6):
        assert (await workers.parse(heavy(str(n)))).subject == str(n)

    assert workers.pids == first


async def test_many_mails_at_once_share_two_processes(workers: Workers) -> None:
    mails = await asyncio.gather(*(workers.parse(heavy(str(n))) for n in range(10)))

    assert [mail.subject for mail in mails] == [str(n) for n in range(10)]
    assert len(workers.pids) == 2


async def test_a_mail_that_is_no_longer_wanted_leaves_nobody_at_work(workers: Workers, tmp_path: Path) -> None:
    reading = asyncio.create_task(workers.parse(heavy(f"hang {tmp_path}")))
    first = await begun(tmp_path)

    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    assert (await workers.parse(heavy("2"))).subject == "2"
    await gone(first)
    assert len(workers.pids) == 1


async def test_a_mail_may_be_given_up_while_its_process_starts(workers: Workers) -> None:
    reading = asyncio.create_task(workers.parse(heavy("1")))
    while not workers.pids:
        await asyncio.sleep(0)
    [first] = workers.pids

    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    await gone(first)
    assert (await workers.parse(heavy("2"))).subject == "2"


async def test_stop_leaves_no_process(workers: Workers, tmp_path: Path) -> None:
    readings = [asyncio.create_task(workers.parse(heavy(f"hang {tmp_path}"))) for _ in range(3)]
    while len(list(tmp_path.iterdir())) < 2:
        await asyncio.sleep(0.01)
    pids = workers.pids

    await workers.stop()

    assert workers.pids == []
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    for reading in readings:
        with pytest.raises(NoWorker, match="being stopped"):
            await reading
    with pytest.raises(NoWorker):
        await workers.parse(heavy("1"))


async def test_it_can_be_started_again(workers: Workers) -> None:
    await workers.parse(heavy("1"))
    await workers.stop()

    await workers.start()

    assert (await workers.parse(heavy("2"))).subject == "2"


@pytest.mark.parametrize("parser", ["tests.fakes.nowhere:obey", "tests.fakes.parsers:nothing"])
async def test_a_parser_that_cannot_be_loaded_is_no_fault_of_the_mail(parser: str) -> None:
    workers = Workers(parser=parser)
    await workers.start()

    with pytest.raises(NoWorker, match=r"cannot be started: .*(nowhere|nothing)"):
        await workers.parse(heavy("1"))

    await workers.stop()


async def test_signals_that_stop_a_daemon_are_not_for_its_processes(workers: Workers) -> None:
    await workers.parse(heavy("1"))
    [pid] = workers.pids

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, name)

    assert (await workers.parse(heavy("2"))).subject == "2"
    assert workers.pids == [pid]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux shows the files of a process")
async def test_a_process_is_given_nothing_but_its_pipes(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES_PASSWORD", "secret")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.set_inheritable(True)

        told = json.loads((await workers.parse(heavy("look"))).subject)

    assert told["files"].count("pipe") == 2
    assert set(told["files"]) <= {"pipe", "/dev/null"}
    assert "SALES_PASSWORD" not in told["variables"]
    assert told["session"] != os.getsid(0)


async def test_a_process_writes_no_file(workers: Workers, tmp_path: Path) -> None:
    with pytest.raises(TooComplex, match=r"\(OSError\)"):
        await workers.parse(heavy(f"write {tmp_path / 'file'}"))

    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends processes with the one that started them")
async def test_a_killed_daemon_leaves_no_process(tmp_path: Path) -> None:
    script = f"""
import asyncio
from daemon.workers import Workers
from tests.fakes.parsers import heavy
async def main():
    workers = Workers(parser={OBEY!r})
    await workers.start()
    await workers.parse(heavy("hang {tmp_path}"))
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) as daemon:
        worker = os.pidfd_open(await begun(tmp_path))

        daemon.kill()

    ended: Sequence[int] = select.select([worker], [], [], 20)[0]
    os.close(worker)
    assert ended


def test_the_faster_loop_does_it_too() -> None:
    async def main() -> list[str]:
        workers = Workers(parser=OBEY)
        await workers.start()
        with pytest.raises(TooComplex):
            await workers.parse(heavy("crash"))
        mails = await asyncio.gather(*(workers.parse(heavy(str(n))) for n in range(3)))
        await workers.stop()
        assert workers.pids == []
        return [mail.subject for mail in mails]

    assert uvloop.run(main()) == ["0", "1", "2"]
