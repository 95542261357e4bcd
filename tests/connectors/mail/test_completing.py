"""Mails that were too large to be fetched with the rest are fetched whole, in parts, when somebody asks for them."""

from uuid import UUID, uuid4

import pytest

from connectors.base import Unavailable, Wanted
from connectors.mail.completing import PART_BYTES
from interactions.arrivals import Location
from tests.fakes.imap_intake import MemoryIntake
from tests.fakes.imap_script import CLOSE, NO, OK, Box, ImapScript, mails
from tests.fakes.imap_source import changed, running, source_of

LARGE = b"Subject: large\r\n\r\n" + bytes(range(256)) * 8192  # 2 MB and a bit
LIMIT = 1_000_000


def wanted(*places: tuple[str, int, int]) -> Wanted:
    return Wanted(uuid4(), tuple(Location(*place) for place in places))


async def asked(server: ImapScript, *wants: Wanted, limit: int = LIMIT, **more: object) -> MemoryIntake:
    """Asks for mails of a mailbox that is being read, and waits for what becomes of them."""
    intake = MemoryIntake()
    intake.to_complete = list(wants)
    async with running(server, intake, message_bytes_max=limit, poll_seconds=3600, **more):
        await intake.until_settled(len(wants))
    return intake


def only(found: dict[UUID, str]) -> str:
    [reason] = found.values()
    return reason


async def test_a_large_mail_comes_whole_in_parts_of_a_bounded_size() -> None:
    one = wanted(("INBOX", 1, 1))
    async with ImapScript(Box({1: LARGE}).book()) as server:
        intake = await asked(server, one)

    assert [len(mail.raw) < len(LARGE) for mail in intake.mails] == [True]
    assert b"".join(intake.whole[one.key]) == LARGE
    assert [len(part) for part in intake.whole[one.key]] == [PART_BYTES, PART_BYTES, len(LARGE) - 2 * PART_BYTES]
    assert not any(line.endswith("BODY.PEEK[])") for line in server.asked)


async def test_a_mail_of_exactly_some_parts_ends_where_nothing_more_comes() -> None:
    raw, one = LARGE[: 2 * PART_BYTES], wanted(("INBOX", 1, 1))
    async with ImapScript(Box({1: raw}).book()) as server:
        intake = await asked(server, one)

    assert b"".join(intake.whole[one.key]) == raw


async def test_a_mail_is_looked_for_at_each_of_its_places() -> None:
    one = wanted(("Gone", 1, 5), ("INBOX", 7, 1), ("INBOX", 1, 9), ("INBOX", 1, 1))

    def examine(name: str) -> bytes:
        return NO if name == "Gone" else b"* 1 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 2] ok\r\n" + OK

    async with ImapScript(Box({1: LARGE}).book(EXAMINE=examine)) as server:
        intake = await asked(server, one)

    assert b"".join(intake.whole[one.key]) == LARGE


@pytest.mark.parametrize(
    ("place", "limit", "reason"),
    [
        (("INBOX", 1, 9), LIMIT, "no longer on the server"),
        (("INBOX", 7, 1), LIMIT, "no longer on the server"),
        (("INBOX", 1, 1), 200_000, f"it has {len(LARGE)} bytes; at most 2000000 are fetched"),
    ],
)
async def test_what_can_not_be_had_is_given_up_with_its_reason(
    place: tuple[str, int, int], limit: int, reason: str
) -> None:
    async with ImapScript(Box({1: LARGE}).book()) as server:
        intake = await asked(server, wanted(place), limit=limit)

    assert reason in only(intake.given_up)
    assert intake.whole == {}


async def test_of_a_mailbox_of_headers_nothing_is_ever_fetched_whole() -> None:
    async with ImapScript(Box({1: LARGE}).book()) as server:
        intake = await asked(server, wanted(("INBOX", 1, 1)), headers_only=True)

    assert "headers_only" in only(intake.given_up)
    assert not any("BODY.PEEK[]" in line for line in server.asked)


async def test_a_server_that_sends_more_than_it_said_is_stopped() -> None:
    box = Box({1: LARGE})

    def fetch(words: str) -> bytes:
        if "BODY.PEEK[]<" not in words or "<0.262144>" in words:
            return mails(box.mails)(words)
        return b"* 1 FETCH (UID 1 BODY[]<0> {%d}\r\n%s)\r\n" % (PART_BYTES, LARGE[:PART_BYTES]) + OK

    async with ImapScript(box.book(FETCH=fetch)) as server:
        intake = await asked(server, wanted(("INBOX", 1, 1)), limit=300_000)

    assert "more than 3000000 bytes" in only(intake.given_up)


async def test_a_mail_that_is_deleted_while_it_is_fetched_is_not_taken_for_whole() -> None:
    box = Box({1: LARGE})

    def fetch(words: str) -> bytes:
        return OK if f"<{PART_BYTES}." in words else mails(box.mails)(words)

    async with ImapScript(box.book(FETCH=fetch)) as server:
        intake = await asked(server, wanted(("INBOX", 1, 1)))

    assert "deleted" in only(intake.given_up)
    assert intake.whole == {}


async def test_a_connection_that_breaks_in_the_middle_is_a_try_that_failed() -> None:
    box, intake = Box({1: LARGE}), MemoryIntake()

    def fetch(words: str) -> bytes:
        return CLOSE if f"<{PART_BYTES}." in words else mails(box.mails)(words)

    async with ImapScript(box.book(FETCH=fetch)) as server:
        await changed(source_of(server), message_bytes_max=LIMIT).catch_up(intake)
        intake.to_complete = [wanted(("INBOX", 1, 1))]
        with pytest.raises(Unavailable):
            await changed(source_of(server), message_bytes_max=LIMIT).run(intake)

    assert (intake.whole, intake.given_up) == ({}, {})
