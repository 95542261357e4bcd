"""Answers beside the mails that they answer: in one batch, in two, and the wrong way round."""

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from connectors.base import Batch
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk, SourceIntake
from interactions.mime import ParsedMail, parse
from storage import leases, sources
from storage.blobs import Blobs
from storage.database import Database
from tests.fakes.arrivals import mail, raw_mail

ASKED = "Could you send us the price of twelve blue ones and of six red ones, please?"
QUESTION = raw_mail("1", text=f"Good morning,\n\n{ASKED}\n")
TO_ITSELF = raw_mail("2", text="Of course.", subject="Re: Заказ", reply_to="2")
ANSWER = raw_mail("2", text=f"Of course.\n\n{ASKED}\n", subject="Re: Заказ", reply_to="1")


@pytest.fixture
async def intake(database: Database, tmp_path: Path, now: datetime) -> SourceIntake:
    async def parse_here(raw: bytes) -> ParsedMail:
        return parse(raw)

    desk = Desk(database, Blobs(tmp_path), IntakeSettings(), parse_here, lambda: now)
    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap")])
        (lease,) = await leases.acquire(db, "test", ["sales"], 1, 60)
    return SourceIntake(desk, database, lease)


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ([[QUESTION], [ANSWER]], "Of course."),
        ([[QUESTION, ANSWER]], "Of course."),
        ([[ANSWER, QUESTION]], "Of course."),
        ([[ANSWER], [QUESTION]], ""),  # all of it is taken for new
    ],
)
async def test_what_stands_in_the_mail_that_is_answered_is_not_new(
    database: Database, intake: SourceIntake, batches: list[list[bytes]], expected: str
) -> None:
    for batch in batches:
        await intake.accept(Batch([mail(raw) for raw in batch]))

    async with database.connection() as db:
        [(reply, body, excerpt)] = await db.fetch(
            "SELECT b.reply_text, b.body_text, i.excerpt FROM interaction i JOIN body b ON b.interaction_id = i.id"
            " WHERE i.external_id LIKE '2@%'"
        )
    assert reply == expected
    assert body == f"Of course.\n\n{ASKED}"
    assert excerpt.startswith("Of course.")


async def test_an_answer_that_was_read_before_its_question_was_committed_is_compared_all_the_same(
    database: Database, intake: SourceIntake
) -> None:
    before = asyncio.get_running_loop().create_future()
    answering = asyncio.create_task(intake.accept(Batch([mail(ANSWER)]), before))
    asked = await intake.accept(Batch([mail(QUESTION)]))
    before.set_result(asked)
    await answering

    async with database.connection() as db:
        assert await db.fetchval("SELECT reply_text FROM body WHERE reply_text <> ''") == "Of course."


async def test_a_mail_that_says_it_answers_itself_is_taken_in(intake: SourceIntake) -> None:
    accepted = await intake.accept(Batch([mail(TO_ITSELF)]))

    assert accepted.new == 1
