"""`ringmail status`, `quarantine`, `migrate` and `health`: what is, said to people and to programs."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import UUID

import pytest

from storage import inbound, leases, quarantine, sources
from storage.database import Connection
from storage.inbound import Event
from storage.quarantine import Kept
from tests.fakes.command import Ringmail, ask
from tests.fakes.postgres import Cluster
from tests.fakes.rows import START

SALES = {"name": "sales", "address": "sales@example.org", "imap": "imaps://imap.example.org", "password": "secret"}
PBX = {"name": "pbx", "type": "generic", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


@pytest.fixture
def office(ringmail: Ringmail) -> Ringmail:
    """Two sources that ran, and one that has left the configuration."""

    async def write(db: Connection) -> None:
        await sources.save_all(
            db, [("sales", "mailbox", "imap"), ("pbx", "telephony", "generic"), ("old", "mailbox", "imap")]
        )
        await sources.report(db, "sales", "catching_up", done=200, total=5000)
        await sources.report(db, "pbx", "ok")
        await sources.mark_success(db, ["pbx"])
        await db.execute(
            "UPDATE source SET counted_from = 100, counted_since = now() - interval '20 s', counted_at = now() "
            "WHERE name = 'sales'"
        )
        await leases.beat(db, "one", "host", 1)
        await inbound.add(db, [Event("pbx", "key", START, "POST", "", "", {}, b'{"event":"?"}', "")])
        await quarantine.add_mails(
            db, "sales", [Kept(UUID(int=7), "too \x1b[31mdeep", {"folder": "INBOX", "uid": 9}, bytes(32))]
        )

    ringmail.configure(mailbox=[SALES], telephony=[PBX])
    asyncio.run(ask(ringmail.dsn, write))
    return ringmail


def test_status_tells_of_every_source_and_what_waits(office: Ringmail) -> None:
    said = office("status", "--json")

    found = said.json
    assert said.code == 0
    assert [(one["name"], one["state"], one["done"], one["total"]) for one in found["sources"]] == [
        ("sales", "catching_up", 200, 5000),
        ("pbx", "ok", None, None),
    ]
    assert found["sources"][0]["seconds_left"] == 960
    assert found["sources"][1]["last_success_at"].endswith("Z")
    assert found["daemons"] == 1
    assert found["waiting"] == {"journal": 1, "search": 0, "feed": 0, "quarantine": 1}
    assert found["database_bytes"] > 1_000_000


def test_status_is_readable_for_a_person(office: Ringmail) -> None:
    said = office("status")

    assert "1 daemon(s) running" in said.out
    assert "200 of 5000, 5 a second, 16 min left" in " ".join(said.out.split())
    assert "in quarantine:     1" in said.out


def test_the_quarantine_is_listed_and_shown_without_steering_the_terminal(office: Ringmail) -> None:
    listed, shown = office("quarantine", "list"), office("quarantine", "show", str(UUID(int=7)))
    as_json = office("quarantine", "list", "--json").json

    assert [(one["source"], one["locator"]["uid"]) for one in as_json] == [("sales", 9)]
    assert "\x1b" not in listed.out + shown.out
    assert "INBOX 9" in listed.out
    assert "deep" in shown.out


def test_the_bytes_of_an_event_are_given_as_they_came(office: Ringmail) -> None:
    async def fail(db: Connection) -> None:
        (event,) = await inbound.claim(db, 1)
        await inbound.mark_failed(db, event, "no such event", final=True)

    asyncio.run(ask(office.dsn, fail))
    entry = next(one["id"] for one in office("quarantine", "list", "--json").json if one["kind"] == "event")

    assert office.apart("quarantine", "show", entry, "--raw").out == '{"event":"?"}'


@pytest.mark.parametrize(("name", "code"), [("seven", 2), ("00000000-0000-7000-8000-000000000000", 1)])
def test_what_is_not_in_the_quarantine_is_said(ringmail: Ringmail, name: str, code: int) -> None:
    said = ringmail("quarantine", "show", name)

    assert said.code == code
    assert said.err


def test_an_empty_database_is_brought_to_this_version_and_then_is(ringmail: Ringmail, cluster: Cluster) -> None:
    ringmail.dsn = empty = cluster.clone("template0")
    ringmail.configure()

    pending = ringmail("migrate", "--dry-run", "--json").json["pending"]
    applied = ringmail("migrate", "--json").json["applied"]
    again = ringmail("migrate")

    cluster.drop(empty)
    assert pending
    assert pending == applied
    assert "at this version" in again.out


@contextmanager
def listening(status: int) -> Iterator[int]:
    """A daemon as far as its health goes."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"database away")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_health_is_what_the_daemon_says(ringmail: Ringmail, status: int, code: int) -> None:
    with listening(status) as port:
        ringmail.configure(http={"listen": f"0.0.0.0:{port}"})
        said = ringmail("health")

    assert said.code == code
    assert (said.out == "ready\n") is (code == 0)
    assert ("503 database away" in said.err) is (code == 1)


def test_no_daemon_is_not_healthy(ringmail: Ringmail) -> None:
    said = ringmail("health")

    assert said.code == 1
    assert "No daemon answers at 127.0.0.1:1" in said.err
