"""Files that people and programs add to an interaction of any type, and get back byte for byte."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from storage.database import Database
from tests.fakes.api import Api, make_api
from tests.fakes.asgi import Answer, ask

PDF = b"%PDF-1.7\x00\xff\r\n--boundary\r\n"


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


@pytest.fixture
async def meeting(api: Api) -> str:
    return str((await api.post("/interactions", {"type": "meeting", "topic": "x"})).json["id"])


async def send(api: Api, where: str, body: bytes, query: str = "", **headers: str) -> Answer:
    path = f"/api/v1/interactions/{where}/attachments{query}"
    return await ask(api.app, "POST", path, body, authorization=f"Bearer {api.token}", **headers)


def form(name: str, content: bytes, boundary: str = "xyz") -> tuple[bytes, str]:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n--{boundary}\r\n'
    head += f'Content-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: application/pdf\r\n\r\n'
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


async def test_a_file_comes_back_as_it_was_sent(api: Api, meeting: str) -> None:
    answer = await send(api, meeting, PDF, f"?name={quote('Счёт № 7.pdf')}", content_type="application/pdf")

    assert answer.status == 201, answer.body
    assert answer.json == {"n": 0, "name": "Счёт № 7.pdf", "content_type": "application/pdf", "size": len(PDF), "inline": False}  # fmt: skip
    back = await api.get(f"/interactions/{meeting}/attachments/0")
    assert back.body == PDF
    assert back.headers["content-type"] == "application/octet-stream"
    assert back.headers["x-content-type-options"] == "nosniff"
    record = (await api.get(f"/interactions/{meeting}")).json
    assert [one["name"] for one in record["attachments"]] == ["Счёт № 7.pdf"]
    assert [one["id"] for one in (await api.get("/interactions?has=attachment")).json["items"]] == [meeting]
    assert [one["id"] for one in (await api.get(f"/interactions?q={quote('счёт')}")).json["items"]] == [meeting]


async def test_a_form_brings_its_first_file(api: Api, meeting: str) -> None:
    body, content_type = form("act.pdf", PDF)

    answer = await send(api, meeting, body, content_type=content_type)

    assert (answer.status, answer.json["name"], answer.json["content_type"]) == (201, "act.pdf", "application/pdf")
    assert (await api.get(f"/interactions/{meeting}/attachments/0")).body == PDF


async def test_the_same_file_twice_is_one_and_another_name_another_file(api: Api, meeting: str) -> None:
    statuses = [(await send(api, meeting, PDF, f"?name={name}")).status for name in ("a.pdf", "a.pdf", "b.pdf")]

    assert statuses == [201, 200, 201]
    assert [one["n"] for one in (await api.get(f"/interactions/{meeting}")).json["attachments"]] == [0, 1]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\r\nb: c", "\u202egpj.exe", "", "x" * 3000, "CON", ".htaccess"])
async def test_no_name_leads_anywhere(api: Api, meeting: str, name: str) -> None:
    answer = await send(api, meeting, b"x", f"?name={quote(name)}")

    assert answer.status == 201
    stored = answer.json["name"]
    assert stored
    assert not set(stored) & set("/\\\r\n\u202e\x00")
    assert len(stored) <= 300
    back = await api.get(f"/interactions/{meeting}/attachments/0")
    assert "\r" not in back.headers["content-disposition"]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"no form at all", {"content_type": "multipart/form-data; boundary=x"}),
        (b"no boundary", {"content_type": "multipart/form-data"}),
        (form("", b"x")[0], {"content_type": form("", b"x")[1]}),
    ],
)
async def test_what_holds_no_file_is_refused(api: Api, meeting: str, body: bytes, headers: dict[str, Any]) -> None:
    answer = await send(api, meeting, body, **headers)

    assert (answer.status, answer.json["code"]) == (422, "invalid")


async def test_only_what_is_there_takes_files(api: Api, meeting: str) -> None:
    assert (await send(api, "00000000-0000-7000-8000-000000000000", b"x")).status == 404
    await api.ask("DELETE", f"/interactions/{meeting}")
    assert (await send(api, meeting, b"x")).status == 410
    assert (await api.get(f"/interactions/{meeting}/attachments/0")).status == 410
    assert (await api.get(f"/interactions/{meeting}/attachments/99999999999999")).status in (404, 410, 422)
