"""`[[rule]]`: the first one that holds decides, before anybody sees what came."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.base import Batch
from interactions.arrivals import Location, MailArrived
from storage import leases
from storage.database import Database
from tests.fakes.api import CONFIG, Api, make_api
from tests.fakes.arrivals import raw_mail

RULES = """
[[rule]]
when = { domain = "bank.example", mark = "bulk" }
set = { reviewed = true, tags = ["bank"] }

[[rule]]
when = { from = ["8 916 123-45-67", "vip@customer.example"] }
set = { importance = "high", on_control = true, responsible = "anna@example.org" }

[[rule]]
when = { domain = ["bank.example", "customer.example"] }
set = { tags = ["second"] }
"""


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    made = await make_api(database, tmp_path, CONFIG + RULES, ("read", "write", "admin"))
    assert (await made.post("/users", {"email": "anna@example.org", "name": "Анна"})).status == 201
    return made


async def bring(api: Api, *raws: bytes) -> None:
    database = api.serving.database
    async with database.connection() as db:
        [lease] = await leases.acquire(db, "test", ["sales"], 1, 60)
    mails = [MailArrived("sales", Location("INBOX", 1, n), raw, datetime.now(UTC)) for n, raw in enumerate(raws, 1)]
    await api.serving.desk.accept(lease, Batch(mails))


async def test_the_first_rule_that_holds_decides(api: Api) -> None:
    bulk = raw_mail("1", "news@mail.bank.example").replace(b"Subject:", b"Precedence: bulk\r\nSubject:", 1)
    await bring(api, bulk, raw_mail("2", "card@bank.example"), raw_mail("3", "vip@customer.example"), raw_mail("4", "x@y.example"))  # fmt: skip

    found = {one["participants"][0]["address"]: one for one in (await api.get("/interactions")).json["items"]}
    shown = {
        name: (one["reviewed"], one["importance"], one["tags"], one["on_control"] is not None)
        for name, one in found.items()
    }
    assert shown == {
        "news@mail.bank.example": (True, "normal", ["bank"], False),
        "card@bank.example": (False, "normal", ["second"], False),
        "vip@customer.example": (False, "high", [], True),
        "x@y.example": (False, "normal", [], False),
    }
    assert found["vip@customer.example"]["responsible"]["name"] == "Анна"


async def test_calls_and_sms_have_rules_too_and_later_events_change_nothing_of_them(api: Api) -> None:
    call = {"event": "newCall", "callId": "1", "direction": "in", "from": "+7 (916) 123-45-67", "to": "+74951234567"}
    await api.hook(call)
    await api.hook({**call, "event": "hangup", "cause": "noAnswer"})
    await api.hook(
        {"event": "sms", "id": "1", "direction": "in", "from": "89161234567", "to": "+74951234567", "text": "?"}
    )
    await api.work_off()

    found = (await api.get("/interactions")).json["items"]
    assert [(one["importance"], one["on_control"]) for one in found] == [
        ("high", {"wake_at": None, "until_reply": False})
    ] * 2
