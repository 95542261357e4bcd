"""Servers that send very much: memory stays bounded, the loop goes on, and the state is the true one."""

import resource
from collections.abc import Callable, Mapping

import pytest

from connectors.base import Unavailable
from connectors.mail.session import opened
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import CLOSE, NO, OK, POLITE, Answer, Box, ImapScript, folder
from tests.fakes.imap_source import account_of, bodies, changed, running, source_of
from tests.fakes.loop_watch import watched_loop

MILLIONS = 3_000_000
MEGABYTES = 25_000_000
STALL_SECONDS_MAX = 0.25
MEMORY_BYTES_MAX = 150_000_000


def memory() -> int:
    """The most that this process has ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def all_of(count: int, odd: bool = False) -> bytes:
    """A SEARCH of so many mails on one line."""
    step = 2 if odd else 1
    return b"* SEARCH " + b" ".join(b"%d" % uid for uid in range(1, step * count + 1, step)) + b"\r\n" + OK


async def test_three_million_mails_in_one_search_are_read_newest_first() -> None:
    listed = all_of(MILLIONS)
    few = {MILLIONS - n: body for n, body in bodies(0, 1, 2).items()}
    box, intake = Box(few), MemoryIntake()
    whole = b"* %d EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT %d] ok\r\n" % (MILLIONS, MILLIONS + 1) + OK
    before = memory()
    book = box.book(EXAMINE=whole, SEARCH=listed)
    async with ImapScript(book) as server, watched_loop() as watch, running(server, intake):
        await intake.until_mails(3)

    assert sorted(intake.uids()) == sorted(few)
    assert "ok" not in intake.states
    assert max(report.total or 0 for report in intake.reports) == MILLIONS
    assert watch.longest < STALL_SECONDS_MAX
    assert memory() - before < MEMORY_BYTES_MAX


ABLE = b"%T OK [CAPABILITY IMAP4rev1 IDLE ESEARCH] welcome\r\n"
RANGES = b'* ESEARCH (TAG "x") UID ALL 1:3\r\n' + OK
NUMBERS = b"* SEARCH 1 2 3\r\n" + OK


def by_form(ranges: bytes, numbers: bytes = NUMBERS) -> Callable[[str], bytes]:
    return lambda words: ranges if words.startswith("RETURN (ALL) UID 1:*") else numbers


@pytest.mark.parametrize(
    ("ranges", "asked"),
    [
        (RANGES, 1),
        (b"* SEARCH 1 2 3\r\n" + OK, 1),
        (b'* ESEARCH (TAG "x") UID\r\n' + OK, 2),
        (b'* ESEARCH (TAG "x") UID MIN NIL MAX NIL ALL NIL\r\n' + OK, 2),
        (OK, 2),
        (NO, 2),
        (b"%T BAD what is RETURN\r\n", 2),
    ],
)
async def test_ranges_are_asked_for_and_what_says_nothing_is_asked_again(ranges: bytes, asked: int) -> None:
    book: Mapping[str, Answer] = {"AUTHENTICATE": ABLE, "EXAMINE": folder(1, 2, 3), "SEARCH": by_form(ranges)}
    async with ImapScript(book) as server, opened(account_of(server)) as one:
        await one.examine(b"INBOX")
        assert list(await one.uid_search("1:*")) == [1, 2, 3]

    assert sum(line.startswith("SEARCH") for line in server.asked) == asked


async def test_a_server_that_refused_ranges_is_not_asked_for_them_again() -> None:
    book: Mapping[str, Answer] = {"AUTHENTICATE": ABLE, "EXAMINE": folder(1, 2, 3), "SEARCH": by_form(NO)}
    async with ImapScript(book) as server, opened(account_of(server)) as one:
        await one.examine(b"INBOX")
        for _ in range(3):
            await one.uid_search("1:*")

    assert [line for line in server.asked if "RETURN" in line] == ["SEARCH RETURN (ALL) UID 1:*"]


async def test_a_million_odd_uids_are_listed_in_either_form_with_little_memory() -> None:
    count = 1_000_000
    odd = all_of(count, odd=True)
    ranges = odd.replace(b"* SEARCH ", b'* ESEARCH (TAG "x") UID ALL ').partition(b"\r\n")[0].split(b"ALL ")
    listed = ranges[0] + b"ALL " + ranges[1].replace(b" ", b",") + b"\r\n" + OK
    before = memory()
    book: Mapping[str, Answer] = {"AUTHENTICATE": ABLE, "EXAMINE": folder(1), "SEARCH": by_form(listed, odd)}
    async with ImapScript(book) as server, opened(account_of(server)) as one, watched_loop() as watch:
        await one.examine(b"INBOX")
        for words in ("1:*", "2:*"):
            found = await one.uid_search(words)
            assert (len(found), found[0], found[-1]) == (count, 1, 2 * count - 1)

    assert watch.longest < STALL_SECONDS_MAX
    assert memory() - before < MEMORY_BYTES_MAX


LONG = {
    "EXAMINE": b"* OK [" + b"x" * MEGABYTES + b"\r\n" + OK,
    "LIST": b'* LIST () "/" "' + b"x" * MEGABYTES + b'"\r\n' + OK,
    "SEARCH": b"* SEARCH " + b"x" * MEGABYTES + b"\r\n" + OK,
    "FETCH": b"* 1 FETCH (UID 1 FLAGS (" + b"x " * (MEGABYTES // 2) + b"))\r\n" + OK,
    "IDLE": b"+ idling\r\n* " + b"x" * MEGABYTES + b"\r\n",
    "CAPABILITY": b"* CAPABILITY " + b"x" * MEGABYTES + b"\r\n" + OK,
    "GREETING": b"* OK " + b"x" * MEGABYTES + b"\r\n",
    "LOGIN": b"%T NO " + b"x" * MEGABYTES + b"\r\n",
}


@pytest.mark.parametrize("where", LONG)
async def test_a_line_of_25_megabytes_ends_the_connection(where: str) -> None:
    long = {where: LONG[where]}
    plain: Mapping[str, Answer] = {"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n" + OK} if where == "LOGIN" else {}
    intake, before = MemoryIntake(), memory()
    book = Box(bodies(1)).book(**long, **plain)
    async with ImapScript(book) as server, watched_loop() as watch, running(server, intake) as task:
        with pytest.raises(Unavailable, match="a line longer than") as error:
            await task

    assert error.value.state == "unreachable"
    assert "ok" not in intake.states or where == "IDLE"
    assert watch.longest < STALL_SECONDS_MAX
    assert memory() - before < MEMORY_BYTES_MAX


NOISE = [
    b"* BYE going down\r\n" + CLOSE,
    b"\x00\xff\xfe garbage\r\n",
    b"* 1 FETCH (UID 1 BODY[] {99999\r\n",
    CLOSE,
    b"* (\r\n",
]


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize(
    "where", ["GREETING", "CAPABILITY", "AUTHENTICATE", "LIST", "EXAMINE", "SEARCH", "FETCH", "IDLE"]
)
async def test_wherever_a_server_goes_mad_nothing_is_believed_and_the_next_run_reads_all(
    where: str, noise: bytes
) -> None:
    box, intake = Box(bodies(1, 2)), MemoryIntake()
    async with ImapScript(box.book(**{where: noise})) as server:
        with pytest.raises(Unavailable):  # a server that falls silent is given up soon
            await changed(source_of(server), quiet_seconds=0.1).run(intake)
        server.book |= {**POLITE, **box.book()}
        await source_of(server).catch_up(intake)

    assert sorted(intake.uids()) == [1, 2]
    assert intake.states[-1] == "ok"


async def test_flags_of_twenty_thousand_mails_come_in_one_answer() -> None:
    count = 20_000
    said = b"".join(b"* %d FETCH (UID %d FLAGS (\\Seen))\r\n" % (uid, uid) for uid in range(1, count + 1)) + OK
    book: Mapping[str, Answer] = {"EXAMINE": folder(1), "FETCH": said}
    async with ImapScript(book) as server, watched_loop() as watch, opened(account_of(server)) as one:
        await one.examine(b"INBOX")
        found = await one.flags(range(1, count + 1))

    assert len(found) == count
    assert all(mail.seen for mail in found)
    assert watch.longest < STALL_SECONDS_MAX


async def test_news_without_end_hold_up_nobody() -> None:
    noise = b"* 1 FETCH (FLAGS ())\r\n* 7 EXISTS\r\n" * 200_000
    book: Mapping[str, Answer] = {"NOOP": noise + OK}
    async with ImapScript(book) as server, watched_loop() as watch, opened(account_of(server)) as one:
        await one.noop()

    assert watch.longest < STALL_SECONDS_MAX
