"""A mail from a file is read, matched and threaded as one that arrived; what can't be is refused, and nothing comes twice."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from interactions.never_log import NeverLog
from storage.database import Database
from tests.fakes.api import CONFIG, Api, add_contact, make_api
from tests.fakes.arrivals import raw_mail
from tests.fakes.asgi import Answer


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path, scopes=("read", "write", "admin"))


async def bring(api: Api, raw: bytes, kind: str = "message/rfc822") -> Answer:
    return await api.post("/interactions", raw, content_type=kind)


async def test_a_saved_mail_becomes_an_email_of_its_sender_in_its_chain(api: Api) -> None:
    await add_contact(api, "Иван", "individual", emails=["ivan@customer.example"])
    await api.mails(raw_mail("1"))
    answer = raw_mail("2", reply_to="1", subject="Re: Заказ", text="Ответ")

    brought = await bring(api, answer, "message/rfc822; charset=utf-8")
    again = await bring(api, answer)
    arrived = await api.mails(answer)

    assert (brought.status, again.status, len(arrived)) == (201, 200, 2)
    one = brought.json
    assert (one["type"], one["direction"], one["topic"], one["source"]) == ("email", "incoming", "Re: Заказ", None)
    assert (one["contact"]["name"], one["chain"]["size"]) == ("Иван", 2)
    assert again.json["id"] == one["id"]
    assert (await api.get(f"/interactions/{one['id']}/raw")).body == answer
    assert UUID(one["id"]) in arrived


@pytest.mark.parametrize(("raw", "code"), [(b"", "invalid"), (b"  \r\n", "invalid")])
async def test_nothing_is_refused(api: Api, raw: bytes, code: str) -> None:
    assert (await bring(api, raw)).json["code"] == code


async def test_a_record_in_json_is_still_a_record_and_an_unknown_type_is_no_mail(api: Api) -> None:
    made = await api.post("/interactions", {"type": "meeting", "topic": "x"})
    wrong = await bring(api, raw_mail("1"), "text/plain")

    assert (made.status, wrong.status in (400, 415, 422)) == (201, True)


@pytest.mark.parametrize("raw", [b"no mail at all", b"\x00" * 1000, b"%PDF-1.7\n", b"{}"])
async def test_what_does_not_begin_as_mails_do_is_no_mail(api: Api, raw: bytes) -> None:
    assert (await bring(api, raw)).json["code"] == "invalid"


async def test_any_bytes_after_a_header_make_a_record(api: Api) -> None:
    answer = await bring(api, b"From: a@b.example\r\nSubject: x\r\n\r\n\x00\xff")

    assert answer.status == 201


async def test_what_was_deleted_or_erased_does_not_come_back_by_a_file(api: Api) -> None:
    person = await add_contact(api, "Ivan", "individual", emails=["ivan@customer.example"])
    first = (await bring(api, raw_mail("1"))).json["id"]
    await api.ask("DELETE", f"/interactions/{first}")
    await api.post(f"/contacts/{person}/erase", {"reason": "asked"})

    codes = [(await bring(api, raw)).json["code"] for raw in (raw_mail("1"), raw_mail("2"))]

    assert codes == ["gone", "gone"]


async def test_what_is_never_stored_is_not_stored_from_a_file_either(api: Api) -> None:
    api.serving.desk.settings = replace(api.serving.desk.settings, never_log=NeverLog(("customer.example",)))

    assert (await bring(api, raw_mail("1"))).json["code"] == "invalid"
    assert (await api.get("/interactions")).json["items"] == []


async def test_with_e_mail_switched_off_none_is_taken(database: Database, tmp_path: Path) -> None:
    api = await make_api(database, tmp_path, CONFIG + "\n[features]\nmail_client = false\n")

    assert (await bring(api, raw_mail("1"))).json["code"] == "feature_off"
