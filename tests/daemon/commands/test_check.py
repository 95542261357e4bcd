"""`ringmail check`: everything is tried, each thing says how it is and what to do, the worst decides the exit code."""

import asyncio
from typing import Any

import pytest

from storage.database import Connection
from tests.fakes.command import Ringmail, Said, ask
from tests.fakes.dovecot import Dovecot, free_ports
from tests.fakes.postgres import Cluster

PBX = {"name": "pbx", "type": "generic", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


def items(said: Said) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in said.json["items"]}


def states(said: Said) -> dict[str, str]:
    return {name: one["state"] for name, one in items(said).items()}


@pytest.fixture
def free(ringmail: Ringmail) -> dict[str, str]:
    """Where nobody listens."""
    return {"listen": f"127.0.0.1:{free_ports(1)[0]}"}


def test_a_small_configuration_is_fine_with_warnings(ringmail: Ringmail, free: dict[str, str]) -> None:
    ringmail.configure(http=free, public_url="https://crm.example.org", telephony=[PBX])

    said = ringmail("check", "--json")

    assert said.code == 0
    assert said.json["ok"] is True
    # The tests' own server is careless on purpose.
    assert states(said) == {
        "configuration": "ok", "login.secret_key": "warning", "data_dir": "ok", "database": "warning", "tables": "ok",
        "http.listen": "ok", "telephony pbx": "ok", "users": "warning",
    }  # fmt: skip
    assert "https://crm.example.org/hooks/pbx, signed" in items(said)["telephony pbx"]["means"]
    assert "fsync = off" in items(said)["database"]["means"]
    assert "ringmail user add" in items(said)["users"]["remedy"]


def test_mistakes_are_items_and_3(ringmail: Ringmail) -> None:
    ringmail.configure(timezone="Mars", langauge="ru")

    said = ringmail("check", "--json")

    assert said.code == 3
    assert states(said) == {"timezone": "broken", "langauge": "broken"}


def test_what_is_not_built_yet_is_said_plainly(ringmail: Ringmail, free: dict[str, str]) -> None:
    other = {"name": "other", "type": "telnyx", "public_key": "s" * 20}
    ringmail.configure(http=free, telephony=[other], retention={"interactions": 30})

    said = ringmail("check", "--json")

    assert said.code == 0
    assert states(said)["retention.interactions"] == "not built"
    assert "deleting old interactions" in items(said)["retention.interactions"]["means"]
    assert states(said)["telephony other"] == "not built"


def test_people_who_are_no_users_are_warnings(ringmail: Ringmail, free: dict[str, str]) -> None:
    ringmail.configure(
        http=free, telephony=[{**PBX, "lines": {"+74951234567": "Anna@example.org", "101": "b@example.org"}}]
    )
    ringmail("user", "add", "anna@example.org")

    found = items(ringmail("check", "--json"))

    assert found["users"]["state"] == "ok"
    assert found["telephony pbx: lines 101"]["remedy"] == "ringmail user add b@example.org"
    assert "telephony pbx: lines +74951234567" not in found


def test_an_unsigned_source_shows_its_address_without_the_secret(ringmail: Ringmail, free: dict[str, str]) -> None:
    ringmail.configure(http=free, telephony=[{**PBX, "allow_unsigned": True}])

    said = ringmail("check")

    assert "/hooks/pbx/SECRET" in said.out
    assert "MfKQ9r8" not in said.out


def test_a_database_that_is_away_is_a_peer_and_the_rest_is_looked_at(ringmail: Ringmail, free: dict[str, str]) -> None:
    ringmail.configure(http=free, database={"dsn": "postgresql://127.0.0.1:1/ringmail"}, telephony=[PBX])

    said = ringmail("check", "--json")

    assert said.code == 4
    assert states(said)["database"] == "broken"
    assert "telephony pbx" in states(said)


def test_tables_of_a_newer_version_are_broken_and_nothing_is_changed(
    ringmail: Ringmail, free: dict[str, str], cluster: Cluster
) -> None:
    async def newer(db: Connection) -> None:
        await db.execute("INSERT INTO schema_migration VALUES (9999, '9999_later', 'x')")

    ringmail.configure(http=free)
    asyncio.run(ask(ringmail.dsn, newer))
    said = ringmail("check", "--json")
    ringmail.dsn = empty = cluster.clone("template0")
    ringmail.configure(http=free)

    fresh = ringmail("check", "--json")

    tables = asyncio.run(
        ask(empty, lambda db: db.fetchval("SELECT count(*) FROM pg_class WHERE relname = 'interaction'"))
    )
    cluster.drop(empty)
    assert said.code == 1
    assert "newer than this program" in str(said.json)
    assert fresh.code == 0
    assert "still to be applied" in items(fresh)["tables"]["means"]
    assert tables == 0


def test_a_table_that_somebody_dropped_is_broken_and_the_rest_is_looked_at(
    ringmail: Ringmail, free: dict[str, str]
) -> None:
    async def damage(db: Connection) -> None:
        await db.execute("DROP TABLE login")

    ringmail.configure(http=free, telephony=[PBX])
    asyncio.run(ask(ringmail.dsn, damage))

    said = ringmail("check", "--json")

    assert said.code == 1
    assert "login" in str([one["means"] for one in said.json["items"] if one["state"] == "broken"])
    assert "telephony pbx" in states(said)


def test_online_asks_the_public_address(ringmail: Ringmail, free: dict[str, str]) -> None:
    ringmail.configure(http=free)

    said = ringmail("check", "--online", "--json")

    assert said.code == 4
    assert states(said)["public_url"] == "broken"


def test_a_folder_that_cannot_be_written_is_broken(ringmail: Ringmail, free: dict[str, str]) -> None:
    (ringmail.folder / "file").write_text("")
    ringmail.configure(http=free, data_dir="file/data")

    said = ringmail("check", "--json")

    assert said.code == 1
    assert states(said)["data_dir"] == "broken"


def test_a_provider_says_itself_what_is_to_be_set(ringmail: Ringmail, free: dict[str, str]) -> None:
    mango = {"name": "office", "type": "mango", "api_key": "k" * 20, "api_salt": "s" * 20}
    ringmail.configure(http=free, public_url="https://crm.example.org", telephony=[mango])

    found = items(ringmail("check", "--json"))["telephony office"]

    assert (found["state"], found["remedy"]) == ("ok", "")
    assert "set https://crm.example.org/hooks/office as" in found["means"]


def test_a_pbx_that_we_connect_to_and_an_outgoing_server_are_tried(ringmail: Ringmail, free: dict[str, str]) -> None:
    pbx = {
        "name": "office",
        "type": "asterisk",
        "host": "localhost",
        "port": 1,
        "user": "ringmail",
        "password": "p" * 20,
    }
    mailbox = {
        "name": "sales", "address": "sales@example.org", "password": "secret",
        "imap": "imap://localhost:1", "smtp": "smtp://localhost:1",
    }  # fmt: skip
    ringmail.configure(http=free, telephony=[pbx], mailbox=[mailbox])

    said = ringmail("check", "--json")

    broken = {name for name, state in states(said).items() if state == "broken"}
    assert said.code == 4
    assert broken == {"telephony office", "mailbox sales", "mailbox sales: smtp"}
    assert all("localhost:1" in items(said)[name]["means"] for name in broken)


# Mail servers


@pytest.mark.peer("dovecot")
def test_a_mailbox_that_lets_us_in_is_ok(ringmail: Ringmail, free: dict[str, str], dovecot: Dovecot) -> None:
    ringmail.configure(http=free, mailbox=[ringmail.mailbox(dovecot, dovecot.new_user())])

    said = ringmail("check", "--json")

    assert said.code == 0
    assert "folders to read: INBOX" in items(said)["mailbox sales"]["means"]


@pytest.mark.peer("dovecot")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "wrong password"}, "password"),
        ({"imap": "imaps://no-such-host.invalid"}, "no-such-host.invalid"),
        ({"imap": "imap://localhost:1"}, "localhost:1"),
        ({"tls_ca": ""}, "certificate"),
    ],
    ids=["password", "host", "port", "self-signed"],
)
def test_a_mailbox_that_does_not_is_4_and_says_why(
    ringmail: Ringmail, free: dict[str, str], dovecot: Dovecot, change: dict[str, str], words: str
) -> None:
    good = ringmail.mailbox(dovecot, dovecot.new_user(), "good")
    ringmail.configure(http=free, mailbox=[{**ringmail.mailbox(dovecot, dovecot.new_user()), **change}, good])

    said = ringmail("check", "--json")

    assert said.code == 4
    assert states(said)["mailbox sales"] == "broken"
    assert words in items(said)["mailbox sales"]["means"]
    assert items(said)["mailbox sales"]["remedy"]
    assert states(said)["mailbox good"] == "ok"
    assert "wrong password" not in said.out


@pytest.mark.peer("dovecot")
def test_tokens_are_tried_where_the_daemon_keeps_them_and_nowhere_else(
    ringmail: Ringmail, free: dict[str, str], dovecot: Dovecot
) -> None:
    oauth = {
        "provider": "custom",
        "client_id": "we",
        "refresh_token": "canary",
        "token_url": "https://127.0.0.1:1/token",
    }
    mailbox = {
        "name": "sales", "address": "sales@example.org", "imap": f"imap://127.0.0.1:{dovecot.imap}",
        "smtp": "smtp://127.0.0.1:1", "oauth": oauth,
    }  # fmt: skip
    ringmail.configure(http=free, mailbox=[mailbox])

    said = ringmail("check", "--json")

    assert said.code == 4
    assert "takes no tokens" in items(said)["mailbox sales"]["means"]
    assert states(said)["mailbox sales: smtp"] == "broken"
    assert "canary" not in str(said.json)
