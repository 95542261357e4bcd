"""The list over HTTP: every filter finds what it names and nothing else, and pages neither skip nor repeat."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from storage.database import Database
from tests.fakes.api import CONFIG, Api, add_contact, make_api
from tests.fakes.arrivals import raw_mail
from tests.fakes.rows import user

TIME = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LONG = {"references", "legs", "body_text", "reply_text", "locations"}


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


def with_file(number: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "anna@shop.example", "sales@example.org", "Счёт"
    message["Date"], message["Message-ID"] = "Mon, 23 Nov 2026 09:05:00 +0000", f"<{number}@test.example>"
    message.set_content("Счёт во вложении")
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="счёт.pdf")
    return message.as_bytes()


async def people(api: Api) -> dict[str, UUID]:
    """A shop, a person of it, two who share a number, and a user."""
    shop = await add_contact(api, "Магазин", emails=["info@shop.example"])
    person = await add_contact(api, "Анна", "contact_person", partner_id=str(shop), emails=["anna@shop.example"])
    for name in ("Пётр", "Павел"):
        await add_contact(api, name, "individual", phones=["+7 495 111-22-33"])
    async with api.serving.database.connection() as db:
        return {"shop": shop, "person": person, "boris": await user(db, "Борис")}


async def sample(api: Api, who: dict[str, UUID]) -> dict[str, str]:
    """One record of each kind, by a name for each; minute by minute."""
    bodies: dict[str, dict[str, Any]] = {
        "missed": {"type": "phone_call", "direction": "incoming", "topic": "Пропущенный", "call": {"result": "missed"},
                   "participants": [{"address": "(495) 1112233"}]},
        "answered": {"type": "phone_call", "direction": "outgoing", "topic": "Исходящий", "call": {"result": "answered"}, "reviewed": True,
                     "importance": "high", "participants": [{"display_name": "неизвестный", "address": "+7 499 765-43-21"}]},
        "meeting": {"type": "meeting", "direction": "internal", "topic": "Планёрка", "responsible_id": str(who["boris"]), "tags": ["vip", "план"]},
        "plan": {"type": "planned", "topic": "Перезвонить", "external_ref": "1C/7"},
    }  # fmt: skip
    made: dict[str, str] = {}
    for n, (name, body) in enumerate(bodies.items()):
        at = TIME + timedelta(minutes=n)
        answer = await api.post("/interactions", {"occurred_at": at.isoformat(), **body})
        assert answer.status == 201, answer.body
        made[name] = answer.json["id"]
    await api.patch(f"/interactions/{made['plan']}", {"review_after": "2199-01-01T00:00:00Z"})
    [mail] = await api.mails(with_file("1"))
    await api.hook({"event": "sms", "id": "1", "direction": "in", "from": "+74997654321", "to": "+74951234567", "text": "Перезвоните мне", "at": "2026-11-23T09:06:00Z"})  # fmt: skip
    await api.work_off()
    await api.index()
    [text] = (await api.get("/interactions?type=sms")).json["items"]
    return {**made, "mail": str(mail), "sms": text["id"]}


def expected_of(everything: set[str], who: dict[str, UUID], mail: dict[str, Any]) -> dict[str, set[str]]:
    """What each query shows."""
    return {
        "": everything,
        "type=sms": {"sms"},
        "type=sms&type=email": {"sms", "mail"},
        "type=sms,email,meeting": {"sms", "mail", "meeting"},
        "direction=incoming": {"missed", "mail", "sms"},
        "direction=outgoing": {"answered"},
        "direction=internal": {"meeting"},
        "status=all": everything,
        "status=to_review": {"missed", "meeting", "mail", "sms"},
        "status=postponed": {"plan"},
        "status=reviewed": {"answered"},
        f"responsible={who['boris']}": {"meeting"},
        f"author={who['boris']}": set(),
        f"contact={who['person']}": {"mail"},
        f"contact={who['shop']}": set(),
        f"partner={who['shop']}": {"mail"},
        f"contact={uuid4()}": set(),
        f"chain={mail['chain']['id']}": {"mail"},
        f"subject={uuid4()}": set(),
        f"department={uuid4()}": set(),
        "source=sales": {"mail"},
        "source=main": {"sms"},
        "source=other": set(),
        "since=2026-11-23T09:05:00Z": {"mail", "sms"},
        "until=2026-11-23T09:01:00Z": {"missed"},
        "since=2026-11-23&until=2026-11-24": everything,
        "since=2026-11-24": set(),
        "q=планёрка": {"meeting"},
        "q=планерки": {"meeting"},
        "q=перезвонить": {"plan", "sms"},
        "q=765-43-21": {"answered", "sms"},
        "q=8 (499) 765-43-21": {"answered", "sms"},
        "q=anna@shop.example": {"mail"},
        "q=счёт.pdf": {"mail"},
        "q=холодильник": set(),
        "q=!!!": set(),
        "unmatched=1": {"missed", "answered", "sms"},
        "ambiguous=1": {"missed"},
        "has=attachment": {"mail"},
        "importance=high": {"answered"},
        "call_result=missed": {"missed"},
        "tag=план": {"meeting"},
        "tag=пла": set(),
        f"number={mail['number']}": {"mail"},
        "external_ref=1C/7": {"plan"},
        "type=phone_call&direction=incoming&status=to_review&call_result=missed": {"missed"},
    }


async def test_every_filter_finds_what_it_names_and_nothing_else(api: Api) -> None:
    who = await people(api)
    records = await sample(api, who)
    expected = expected_of(set(records), who, (await api.get(f"/interactions/{records['mail']}")).json)

    names = {one: name for name, one in records.items()}
    found: dict[str, set[str]] = {}
    for query in expected:
        answer = await api.get(f"/interactions?{quote(query, safe='=&')}")
        assert answer.status == 200, (query, answer.body)
        found[query] = {names[one["id"]] for one in answer.json["items"]}

    assert {query: some for query, some in found.items() if some != expected[query]} == {}


async def test_a_filter_that_can_not_be_used_is_named(api: Api) -> None:
    for query in ("typo=1", "type=fax", "contact=x", "since=yesterday", "cursor=x", "limit=201", "limit=0", "format=pdf", "full=1&limit=21"):  # fmt: skip
        answer = await api.get(f"/interactions?{query}")
        assert (answer.status, answer.json["code"]) == (422, "invalid"), query
        assert answer.json["errors"][0]["path"] in query


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_pages_neither_skip_nor_repeat_while_new_records_come(api: Api, order: str) -> None:
    moments = [TIME] * 7 + [TIME + timedelta(microseconds=n) for n in range(6)]  # many of one moment
    made = []
    for at in moments:
        answer = await api.post("/interactions", {"type": "sms", "topic": "x", "occurred_at": at.isoformat()})
        made.append((at, answer.json["id"]))

    seen: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(f"/interactions?order={order}&limit=4{cursor}")).json
        assert len(page["items"]) <= 4
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
        late = TIME + timedelta(days=1 if order == "newest" else -1)  # before the page that was read
        await api.post("/interactions", {"type": "sms", "topic": "x", "occurred_at": late.isoformat()})

    by_time = [one for _, one in sorted(made, reverse=order == "newest")]
    assert seen == by_time


async def test_a_last_page_that_is_full_has_no_next(api: Api) -> None:
    for _ in range(2):
        await api.post("/interactions", {"type": "sms", "topic": "x"})

    assert (await api.get("/interactions?limit=2")).json["next"] is None
    assert (await api.get("/interactions?limit=1")).json["next"] is not None


async def test_a_list_leaves_long_texts_out_unless_they_are_asked_for(api: Api) -> None:
    await api.mails(
        raw_mail("1", text="Новые слова\n\n> старые слова\n"), raw_mail("2", reply_to="1", references=("1",))
    )

    short = (await api.get("/interactions")).json["items"]
    full = (await api.get("/interactions?full=1")).json["items"]
    [first] = [one["id"] for one in short if one["excerpt"] == "Новые слова"]
    one = (await api.get(f"/interactions/{first}")).json

    assert not any(LONG & one["email"].keys() for one in short)
    assert sorted(one["excerpt"] for one in short) == ["Здравствуйте!", "Новые слова"]
    assert [one["email"]["references"] for one in full] in ([[], ["1@test.example"]], [["1@test.example"], []])
    assert "старые слова" in one["email"]["body_text"]
    assert one["email"]["locations"][0]["mailbox"] == "sales"
    assert "excerpt" not in one
    assert not any("locations" in line["email"] for line in full)  # where a mail lies is told of one at a time


async def test_what_is_switched_off_is_not_shown_with_a_contact_either(database: Database, tmp_path: Path) -> None:
    api = await make_api(database, tmp_path)
    shop = await add_contact(api, "Магазин", phones=["+7 495 632-98-16"])
    person = {"role": "subscriber", "address": "(495) 6329816"}
    assert (
        await api.post("/interactions", {"type": "phone_call", "topic": "x", "participants": [person]})
    ).status == 201
    paths = {f"/contacts/{shop}/timeline": "items", "/contacts/lookup?phone=84956329816": "interactions"}
    assert [len((await api.get(path)).json[name]) for path, name in paths.items()] == [1, 1]

    off = await make_api(database, tmp_path, CONFIG + "\n[features]\nother_interactions = false\n")

    assert [(await off.get(path)).json[name] for path, name in paths.items()] == [[], []]
