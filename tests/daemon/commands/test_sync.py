"""`ringmail sync`: one mailbox to its end, under its lease; a dry run counts and writes nothing."""

import asyncio
from datetime import timedelta

import pytest

from storage import leases
from storage.database import Connection
from tests.fakes import rows
from tests.fakes.arrivals import START, raw_mail
from tests.fakes.command import Ringmail, ask
from tests.fakes.dovecot import Dovecot

pytestmark = pytest.mark.peer("dovecot")


@pytest.fixture
def user(ringmail: Ringmail, dovecot: Dovecot) -> str:
    """A mailbox with three mails of this year and one of long ago."""
    user = dovecot.new_user()
    for n in range(3):
        dovecot.deliver(user, raw_mail(f"{user}-{n}", subject=f"Mail {n}", at=START), at=START)
    dovecot.deliver(user, raw_mail(f"{user}-old", at=START - timedelta(days=900)), at=START - timedelta(days=900))
    ringmail.configure(mailbox=[ringmail.mailbox(dovecot, user, since="2026-01-01")])
    return user


def count(ringmail: Ringmail) -> int:
    found: int = asyncio.run(ask(ringmail.dsn, lambda db: db.fetchval("SELECT count(*) FROM interaction")))
    return found


def inbox(ringmail: Ringmail, *more: str) -> dict[str, object]:
    """The line of INBOX in a dry run."""
    found: dict[str, object]
    (found,) = [
        one
        for one in ringmail("sync", "sales", "--dry-run", "--json", *more).json["folders"]
        if one["folder"] == "INBOX"
    ]
    return found


def test_a_mailbox_is_read_once_however_often_it_is_asked_for(ringmail: Ringmail, user: str) -> None:
    first, second = ringmail("sync", "sales", "--json"), ringmail("sync", "sales")

    assert first.code == 0
    assert first.json == {"new": 3, "known": 0, "quarantined": 0}
    assert "0 new" in second.out
    assert count(ringmail) == 3
    assert [(one["name"], one["state"]) for one in ringmail("status", "--json").json["sources"]] == [("sales", "ok")]


def test_since_goes_back_further_this_once(ringmail: Ringmail, user: str) -> None:
    ringmail("sync", "sales")

    further = ringmail("sync", "sales", "--since", "2020-01-31", "--json")

    assert further.json["new"] == 1
    assert count(ringmail) == 4


def test_a_dry_run_counts_and_writes_nothing(ringmail: Ringmail, user: str) -> None:
    before = inbox(ringmail)
    nothing = count(ringmail)
    ringmail("sync", "sales")
    after, further = inbox(ringmail), inbox(ringmail, "--since", "2020-01-31")

    assert before == {"folder": "INBOX", "messages": 4, "wanted": 3, "new": 3, "matched": 0, "duplicate": 0}
    assert nothing == 0
    assert after == {"folder": "INBOX", "messages": 4, "wanted": 3, "new": 0, "matched": 0, "duplicate": 3}
    assert further == {"folder": "INBOX", "messages": 4, "wanted": 4, "new": 1, "matched": 0, "duplicate": 3}


def test_a_dry_run_tells_what_leads_to_a_contact_and_what_is_one_mail(ringmail: Ringmail, dovecot: Dovecot) -> None:
    user = dovecot.new_user()
    for n, sender in enumerate(["ivan@customer.example", "stranger@other.example"]):
        dovecot.deliver(user, raw_mail(f"{user}-{n}", sender, user, at=START), at=START)
    sent = raw_mail(f"{user}-2", user, "Иван <ivan@customer.example>", at=START)
    for folder in ("Sent", "Copies"):
        dovecot.append(user, sent, folder)
    nameless = raw_mail("x", at=START).replace(b"Message-ID: <x@test.example>", b"X-No: id")
    dovecot.append(user, nameless, "Copies")
    ringmail.configure(mailbox=[ringmail.mailbox(dovecot, user)])
    asyncio.run(ask(ringmail.dsn, lambda db: rows.contact(db, "Иван", "ivan@customer.example")))

    said = ringmail("sync", "sales", "--dry-run", "--json").json

    counted = {one["folder"]: (one["new"], one["matched"], one["duplicate"]) for one in said["folders"]}
    assert counted["INBOX"] == (2, 1, 0)
    assert (said["new"], said["duplicate"]) == (4, 1)
    assert said["matched"] == 3
    assert count(ringmail) == 0


def test_what_another_daemon_reads_is_left_to_it(ringmail: Ringmail, user: str) -> None:
    async def take(db: Connection) -> None:
        assert await leases.acquire(db, "another daemon", ["sales"], 1, 600.0)

    ringmail("sync", "sales")
    asyncio.run(ask(ringmail.dsn, take))

    said = ringmail("sync", "sales")

    assert said.code == 1
    assert "A running daemon reads the mailbox 'sales' already" in said.err
    assert inbox(ringmail)["duplicate"] == 3


def test_the_lease_is_given_back_even_after_a_failure(ringmail: Ringmail, user: str, dovecot: Dovecot) -> None:
    good = ringmail.mailbox(dovecot, user)
    ringmail.configure(mailbox=[{**good, "password": "wrong password"}])
    refused = ringmail("sync", "sales")
    ringmail.configure(mailbox=[good])

    said = ringmail("sync", "sales", "--json")

    assert refused.code == 4
    assert "wrong password" not in refused.err
    assert len(refused.err.splitlines()) == 1
    assert said.json["new"] == 4


def test_a_mail_that_cannot_be_read_does_not_hold_up_the_rest(ringmail: Ringmail, user: str, dovecot: Dovecot) -> None:
    dovecot.deliver(user, b"", at=START)

    said = ringmail("sync", "sales", "--json")

    assert said.code == 0
    assert said.json == {"new": 3, "known": 0, "quarantined": 1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("other",), "there are: sales"), (("sales", "--since", "yesterday"), "2020-01-31")],
)
def test_wrong_usage_says_what_is_right(ringmail: Ringmail, user: str, arguments: tuple[str, ...], words: str) -> None:
    said = ringmail("sync", *arguments)

    assert said.code == 2
    assert words in said.err
