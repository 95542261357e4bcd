"""Invites become one meeting each, in the chain of their mail, whatever the order in which they come."""

import asyncio
import random
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest

from daemon.intake.context import IntakeSettings
from interactions.rules import Rule, Sets, When
from storage.database import Database
from tests.fakes.arrivals import raw_mail
from tests.fakes.invites import ANNA, EVIL, IVAN, SENT_AT, Post, calendar, invite_mail, what_is_said
from tests.fakes.postgres import Cluster

ASKED = invite_mail("1", calendar())
MOVED = invite_mail(
    "2", calendar(SEQUENCE="1", DTSTAMP="20261123T090000Z", DTSTART="20261202T100000Z", DTEND="20261202T110000Z",
                  LOCATION="Склад"), minutes=60,
)  # fmt: skip
CANCELLED = invite_mail("3", calendar("CANCEL", SEQUENCE="2", DTSTAMP="20261123T100000Z"), minutes=120)
ACCEPTED = invite_mail(
    "4", calendar("REPLY", SEQUENCE="1", DTSTAMP="20261123T093000Z",
                  **{"ATTENDEE;CN=Иван;PARTSTAT=NEEDS-ACTION": "", "ATTENDEE;PARTSTAT=ACCEPTED": f"MAILTO:{IVAN}"}),
    sender=IVAN, minutes=90,
)  # fmt: skip
FORGED = invite_mail("5", calendar(SEQUENCE="9", DTSTART="20261203T100000Z", LOCATION="У нас"), sender=EVIL, minutes=30)
FORGED_CANCEL = invite_mail("6", calendar("CANCEL", SEQUENCE="9"), sender=EVIL, minutes=40)


@pytest.fixture
def post(database: Database, tmp_path: Path, now: datetime) -> Post:
    return Post(database, tmp_path, now, IntakeSettings())


async def test_an_invite_becomes_a_meeting_in_the_chain_of_its_mail(post: Post) -> None:
    await post.bring(ASKED)

    meeting = await post.meeting()
    [mail] = await post.rows("SELECT id, chain_id, occurred_at FROM interaction WHERE kind = 'email'")
    [chain] = await post.rows("SELECT root_id, size FROM chain")
    assert (meeting["topic"], meeting["chain_id"], meeting["based_on_id"]) == ("Встреча", mail["chain_id"], mail["id"])
    assert chain == {"root_id": mail["id"], "size": 2}
    assert meeting["people"] == [("organizer", "Анна", ANNA), ("attendee", "Иван", IVAN)]
    assert {name: meeting["block"][name] for name in ("starts_at", "ends_at", "location", "ical_uid", "status")} == {
        "starts_at": "2026-12-01T10:00:00Z", "ends_at": "2026-12-01T11:00:00Z", "location": "Офис",
        "ical_uid": "u1@romashka.example", "status": "planned",
    }  # fmt: skip
    assert meeting["reviewed"]


async def test_an_update_changes_the_one_meeting(post: Post) -> None:
    await post.bring(ASKED, MOVED, ASKED)

    meeting = await post.meeting()
    assert (meeting["block"]["starts_at"], meeting["block"]["location"]) == ("2026-12-02T10:00:00Z", "Склад")


async def test_an_answer_is_recorded_and_changes_nothing_else(post: Post) -> None:
    await post.bring(ASKED)
    before = (await post.meeting())["block"]
    await post.bring(ACCEPTED)

    after = (await post.meeting())["block"]
    assert after.pop("answers") == [{"address": IVAN, "answer": "accepted"}]
    assert before | after == before


async def test_answers_alone_make_no_meeting_and_count_once_it_is_asked_for(post: Post) -> None:
    await post.bring(ACCEPTED)
    assert await post.meetings() == []

    await post.bring(MOVED)
    assert (await post.meeting())["block"]["answers"] == [{"address": IVAN, "answer": "accepted"}]


async def test_an_answer_in_the_name_of_another_counts_for_nothing(post: Post) -> None:
    await post.bring(ASKED, ACCEPTED.replace(IVAN.encode(), EVIL.encode(), 1))

    assert (await post.meeting())["block"]["answers"] == []


async def test_a_cancel_that_comes_first_calls_off(post: Post) -> None:
    await post.bring(CANCELLED, ASKED)

    assert (await post.meeting())["block"]["status"] == "cancelled"


@pytest.mark.parametrize("forged", [FORGED, FORGED_CANCEL], ids=["moved", "called-off"])
async def test_who_is_not_the_organizer_changes_nothing_and_is_named(post: Post, forged: bytes) -> None:
    await post.bring(ASKED)
    before = await post.meeting()
    await post.bring(forged)

    after = await post.meeting()
    assert [one["from"] for one in after["block"].pop("doubtful")] == [EVIL]
    assert after["block"] == {name: one for name, one in before["block"].items() if name != "doubtful"}
    assert after["chain_id"] == before["chain_id"]


async def test_a_forged_invite_is_a_claim_until_the_organizer_speaks(post: Post) -> None:
    await post.bring(FORGED)
    assert (await post.meeting())["link_flags"] == ["claims"]

    await post.bring(ASKED)
    meeting = await post.meeting()
    assert (meeting["link_flags"], meeting["block"]["location"]) == ([], "Офис")


async def test_a_mail_whose_sender_failed_the_check_does_not_speak_for_the_organizer(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    post = Post(database, tmp_path, now, IntakeSettings(auth_servers=frozenset({"mx.example.org"})))
    await post.bring(ASKED)
    headers = {"Authentication_Results": "mx.example.org; dmarc=fail header.from=romashka.example"}
    await post.bring(invite_mail("9", calendar("CANCEL", SEQUENCE="5"), **headers))

    assert (await post.meeting())["block"]["status"] == "planned"


async def test_one_meeting_of_a_series_is_called_off_and_the_others_stay(post: Post) -> None:
    series = calendar(RRULE="FREQ=WEEKLY;COUNT=3")
    one_off = calendar("CANCEL", **{"RECURRENCE-ID": "20261208T100000Z"}, SEQUENCE="1")
    await post.bring(invite_mail("s1", series), invite_mail("s2", one_off, minutes=5))

    block = (await post.meeting())["block"]
    assert block["status"] == "planned"
    assert block["occurrences"] == ["2026-12-01T10:00:00Z", "2026-12-15T10:00:00Z"]


async def test_what_a_person_called_a_meeting_stays(post: Post) -> None:
    await post.bring(ASKED)
    async with post.database.connection() as db:
        await db.execute("UPDATE interaction SET topic = 'Показ склада' WHERE kind = 'meeting'")
    await post.bring(invite_mail("2", calendar(SEQUENCE="1", SUMMARY="Другое", DESCRIPTION="План"), minutes=60))

    meeting = await post.meeting()
    assert (meeting["topic"], meeting["description"]) == ("Показ склада", "План")


async def test_a_deleted_meeting_does_not_come_back(post: Post) -> None:
    await post.bring(ASKED)
    async with post.database.connection() as db:
        await db.execute("UPDATE interaction SET deleted_at = now() WHERE kind = 'meeting'")
    await post.bring(MOVED)

    assert await post.meetings() == []


async def test_what_was_erased_of_a_meeting_does_not_come_back(post: Post) -> None:
    await post.bring(ASKED)
    async with post.database.connection() as db:
        await db.execute("UPDATE interaction SET erased_at = now(), topic = '', block = '{}' WHERE kind = 'meeting'")
    await post.bring(MOVED)

    meeting = await post.meeting()
    assert (meeting["topic"], meeting["block"]) == ("", {})


@pytest.mark.parametrize(("sets", "tags"), [(Sets(tags=("встречи",)), [["встречи"]]), (Sets(skip=True), [])])
async def test_a_rule_for_meetings_is_followed(
    database: Database, tmp_path: Path, now: datetime, sets: Sets, tags: list[list[str]]
) -> None:
    rule = Rule(When(types=frozenset({"meeting"})), sets)
    post = Post(database, tmp_path, now, IntakeSettings(rules=(rule,)))
    await post.bring(ASKED, MOVED)

    assert [row["tags"] for row in await post.rows("SELECT tags FROM interaction WHERE kind = 'meeting'")] == tags
    assert len(await post.rows("SELECT id FROM interaction WHERE kind = 'email'")) == 2


async def test_who_is_no_longer_asked_is_no_longer_there(post: Post) -> None:
    more = calendar(
        "REQUEST", "ATTENDEE:mailto:oleg@vasilek.example", "ATTENDEE;CUTYPE=ROOM:mailto:room@romashka.example"
    )
    await post.bring(invite_mail("1", more), MOVED)

    assert [one[2] for one in (await post.meeting())["people"]] == [ANNA, IVAN]


async def test_every_order_gives_the_same_meeting(cluster: Cluster, tmp_path: Path, now: datetime) -> None:
    mails = [ASKED, MOVED, ACCEPTED, FORGED, CANCELLED, raw_mail("7", reply_to="1", subject="Re: Приглашение")]
    orders = [*permutations(mails)]
    seen = []
    for n, order in enumerate(random.Random(4).sample(orders, 8)):
        dsn = cluster.clone()
        database = await Database.open(dsn)
        post = Post(database, tmp_path / str(n), now, IntakeSettings())
        await post.bring(*order)
        chained = await post.rows(
            "SELECT m.chain_id = b.chain_id AS same FROM interaction m JOIN interaction b ON b.id = m.based_on_id"
        )
        seen.append((what_is_said(await post.meetings()), chained))
        await database.close()
        cluster.drop(dsn)

    assert all(one == seen[0] for one in seen)
    assert seen[0][1] == [{"same": True}]


async def test_two_mails_of_one_meeting_at_once_make_one(database: Database, tmp_path: Path, now: datetime) -> None:
    one, other = (Post(database, tmp_path / name, now, IntakeSettings()) for name in ("a", "b"))
    await one.bring(raw_mail("0"))
    other.lease, other.uids = one.lease, one.uids

    await asyncio.gather(one.bring(ASKED), other.bring(CANCELLED), one.bring(MOVED), other.bring(ACCEPTED))

    assert (await one.meeting())["block"]["status"] == "cancelled"


async def test_a_meeting_goes_with_its_mail_when_an_id_leads_elsewhere(post: Post) -> None:
    """The invite answers a mail that was not there; a topic had been guessed until it came."""
    guessed = raw_mail("g", sender=ANNA, to=IVAN, subject="Показ нового склада", at=SENT_AT - timedelta(days=2))
    headers = {"In_Reply_To": "<late@test.example>"}
    invite = invite_mail("i", calendar(), **headers).replace(b"Subject: ", b"Subject: Re: x\r\nX-Old: ", 1)
    subject = "Re: Показ нового склада"
    invite = invite.replace(b"Subject: Re: x", f"Subject: {subject}".encode())
    late = raw_mail("late", sender=IVAN, to=ANNA, subject="Совсем о другом", at=SENT_AT - timedelta(days=1))

    await post.bring(guessed, invite, late)

    together = await post.rows(
        "SELECT m.chain_id = b.chain_id AS same, c.size FROM interaction m JOIN interaction b ON b.id = m.based_on_id "
        "JOIN chain c ON c.id = m.chain_id WHERE m.kind = 'meeting'"
    )
    sizes = await post.rows("SELECT size FROM chain WHERE merged_into IS NULL ORDER BY size")
    assert together == [{"same": True, "size": 3}]
    assert [row["size"] for row in sizes] == [1, 3]
