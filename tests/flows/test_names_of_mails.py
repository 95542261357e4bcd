"""A server that names mails (OBJECTID) on a real Cyrus: what is moved, copied or numbered anew is known by its name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.mail.source import ImapSource, MailboxSettings
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk, SourceIntake
from interactions.mime import ParsedMail, parse
from storage import leases, sources
from storage.blobs import Blobs
from storage.database import Database
from tests.fakes.arrivals import raw_mail
from tests.fakes.cyrus import Cyrus, running_cyrus
from tests.fakes.daemon import rows

pytestmark = pytest.mark.peer("cyrus")


@pytest.fixture(scope="module")
def cyrus() -> Iterator[Cyrus]:
    with running_cyrus() as server:
        yield server


async def test_a_mail_has_one_name_wherever_it_lies_and_answers_share_a_conversation(
    cyrus: Cyrus, database: Database, dsn: str, tmp_path: Path
) -> None:
    async def parse_here(raw: bytes) -> ParsedMail:
        return parse(raw)

    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap")])
        [lease] = await leases.acquire(db, "test", ["sales"], 10, 60)
    intake = SourceIntake(Desk(database, Blobs(tmp_path), IntakeSettings(), parse_here), database, lease)
    user = cyrus.new_user()
    settings = MailboxSettings("sales", user, "127.0.0.1", cyrus.imap, user, "any", "none")
    with cyrus.client(user) as program:
        for raw in (raw_mail("a"), raw_mail("b", subject="Re: Заказ", reply_to="a", references=("a",))):
            program.append("INBOX", "()", "", raw)
        program.create("Done")
        program.select("INBOX")
        program.uid("COPY", "1", "Done")

    await ImapSource(settings).catch_up(intake)

    placed = await rows(dsn, "SELECT folder, mail_id, interaction_id, head_sha256 FROM mail_location ORDER BY 1, 2")
    assert [folder for folder, *_ in placed] == ["Done", "INBOX", "INBOX"]
    assert all(mail_id.startswith("oid:") for _, mail_id, *_ in placed)
    assert placed[0][1:] in [one[1:] for one in placed[1:]]
    assert len({mail_id for _, mail_id, *_ in placed}) == 2
    assert await rows(dsn, "SELECT count(*) FROM interaction") == [(2,)]
