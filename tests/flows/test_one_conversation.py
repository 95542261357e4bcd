"""The main job, through the whole daemon: one customer writes, calls and sends an SMS; it is one conversation.

Real Dovecot, real sockets, the API over HTTP. The customer's answer is delivered before our reply is seen, which we wrote in
another mail program and which lies in Sent only; his number comes in two other spellings than we know it in.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from config.load import loads
from daemon.app import App
from daemon.passwords import TOKEN_PREFIX, digest, new_secret
from storage import people
from storage.database import Database
from tests.fakes.api import HOOK_SECRET, signed
from tests.fakes.arrivals import raw_mail
from tests.fakes.dovecot import PASSWORD, Dovecot, running_dovecot

pytestmark = pytest.mark.peer("dovecot")

CUSTOMER = "Иван Петров <ivan@customer.example>"
NOW = datetime.now(UTC).replace(microsecond=0)
WAIT_SECONDS = 30.0


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with running_dovecot() as server:
        yield server


class Office:
    """A running daemon with one mailbox and one telephone line, and a program that talks to it."""

    def __init__(self, app: App, http: aiohttp.ClientSession, dovecot: Dovecot, user: str, token: str) -> None:
        self.app, self.dovecot, self.user = app, dovecot, user
        self._http, self._headers = http, {"Authorization": f"Bearer {token}"}

    async def get(self, path: str) -> dict[str, Any]:
        async with self._http.get(f"{self.app.url}/api/v1{path}", headers=self._headers) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def post(self, path: str, body: object) -> dict[str, Any]:
        async with self._http.post(f"{self.app.url}/api/v1{path}", json=body, headers=self._headers) as answer:
            assert answer.status == 201, await answer.text()
            return dict(await answer.json())

    async def hook(self, event: dict[str, str]) -> None:
        raw = json.dumps(event).encode()
        headers = signed(raw, uuid4().hex)
        async with self._http.post(f"{self.app.url}/hooks/main", data=raw, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def interactions(self, count: int) -> list[dict[str, Any]]:
        """All records in time order, once there are so many."""
        async with asyncio.timeout(WAIT_SECONDS):
            while len(found := (await self.get("/interactions?order=oldest"))["items"]) < count:
                await asyncio.sleep(0.05)
        assert len(found) == count
        return list(found)


@pytest.fixture
async def office(dovecot: Dovecot, dsn: str, tmp_path: Path) -> AsyncIterator[Office]:
    user = dovecot.new_user()
    dovecot.make_folder(user, "Sent")
    authority = tmp_path / "ca.pem"
    dovecot.authority.cert_pem.write_to_path(str(authority))
    app = App(
        loads(
            f"""
            data_dir = "data"
            http = {{ listen = "127.0.0.1:0" }}
            database = {{ dsn = "{dsn}" }}
            [[mailbox]]
            name = "sales"
            address = "{user}"
            imap = "imaps://localhost:{dovecot.imaps}"
            password = "{PASSWORD}"
            tls_ca = "ca.pem"
            poll_seconds = 5
            [[telephony]]
            name = "main"
            type = "generic"
            secret = "{HOOK_SECRET}"
            lines = {{ "+74951234567" = "{user}" }}
            """,
            tmp_path,
            {},
        ).settings
    )
    await app.start()
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await app.ready.wait()
        token = TOKEN_PREFIX + new_secret()
        database = await Database.open(dsn, size=1)
        async with database.connection() as db:
            await people.add_token(db, "test", digest(token), ["read", "write"])
        await database.close()
        async with aiohttp.ClientSession() as http:
            yield Office(app, http, dovecot, user, token)
    finally:
        await app.stop()


async def test_mail_a_call_and_an_sms_of_one_customer_become_one_conversation(office: Office) -> None:
    contact = await office.post(
        "/contacts",
        {"kind": "individual", "name": "Иван Петров", "emails": ["ivan@customer.example"], "phones": ["8 (916) 123-45-67"]},
    )  # fmt: skip
    question = raw_mail("q", CUSTOMER, office.user, "Заказ № 7", "Когда отгрузка?", at=NOW - timedelta(hours=3))
    reply = raw_mail("r", office.user, CUSTOMER, "Re: Заказ № 7", "Завтра.", "q", ("q",), NOW - timedelta(hours=2))
    answer = raw_mail("a", CUSTOMER, office.user, "Re: Re: Заказ № 7", "Спасибо!", "r", ("q", "r"), NOW - timedelta(hours=1))  # fmt: skip

    office.dovecot.deliver(office.user, answer)
    await office.interactions(1)
    office.dovecot.append(office.user, reply, "Sent")
    await office.interactions(2)
    office.dovecot.deliver(office.user, question)
    await office.interactions(3)
    call = {"callId": "c1", "direction": "in", "from": "89161234567", "to": "84951234567"}
    await office.hook({**call, "event": "newCall", "at": (NOW - timedelta(minutes=30)).isoformat()})
    await office.hook({**call, "event": "hangup", "cause": "noAnswer", "at": (NOW - timedelta(minutes=29)).isoformat()})
    await office.interactions(4)
    await office.hook(
        {"event": "sms", "id": "s1", "direction": "in", "from": "+7 916 123-45-67", "to": "+74951234567",
         "text": "Перезвоните мне, пожалуйста", "at": (NOW - timedelta(minutes=20)).isoformat()}
    )  # fmt: skip
    found = await office.interactions(5)

    assert [(one["type"], one["direction"]) for one in found] == [
        ("email", "incoming"),
        ("email", "outgoing"),
        ("email", "incoming"),
        ("phone_call", "incoming"),
        ("sms", "incoming"),
    ]
    assert {one["contact"]["id"] for one in found} == {contact["id"]}
    assert len({one["chain"]["id"] for one in found[:3]}) == 1
    assert [one["reviewed"] for one in found] == [False, True, False, False, False]
    assert found[0]["chain"]["root_id"] == found[0]["id"]
    assert [one["topic"] for one in found[:3]] == ["Заказ № 7", "Re: Заказ № 7", "Re: Re: Заказ № 7"]
    assert found[3]["call"]["result"] in ("missed", "no_answer")
    assert office.dovecot.flags(office.user, "INBOX") == ["", ""]  # nothing was marked as read


async def test_the_feed_tells_of_everything_once_and_in_order(office: Office) -> None:
    for n in range(5):
        office.dovecot.deliver(office.user, raw_mail(f"m{n}", CUSTOMER, office.user, at=NOW))
    expected = {one["id"] for one in await office.interactions(5)}

    async with asyncio.timeout(WAIT_SECONDS):
        while len(events := (await office.get("/events"))["items"]) < 5:
            await asyncio.sleep(0.05)

    assert [event["data"]["seq"] for event in events] == list(range(1, len(events) + 1))
    assert {event["data"]["object"]["id"] for event in events if event["type"] == "interaction.created"} == expected
