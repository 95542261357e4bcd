"""Lists as sheets for people: all that a filter finds, no formula in it; by department, and of a partner with its persons."""

import csv
import io
from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest

from daemon.listexports import COLUMNS
from storage.database import Database
from tests.fakes.api import Api, add_contact, make_api
from tests.fakes.arrivals import START, raw_mail


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path, scopes=("read", "write", "admin"))


async def office(api: Api) -> tuple[str, str]:
    """A department with Anna, a partner with a person, three mails and a note; the ids of department and partner."""
    department = (await api.post("/departments", {"name": "Sales"})).json["id"]
    anna = {"name": "Anna", "email": "anna@example.org", "role": "member", "department_id": department}
    user = (await api.post("/users", anna)).json["id"]
    partner = await add_contact(api, "Shop", emails=["info@shop.example"])
    await add_contact(api, "Olga", "contact_person", emails=["olga@shop.example"], partner_id=str(partner))
    await api.mails(
        raw_mail("1", "info@shop.example", subject="=HYPERLINK(1)"),
        raw_mail("2", "olga@shop.example", subject="Two", at=START + timedelta(minutes=1)),
        raw_mail("3", "else@x.example", subject="Three", at=START + timedelta(minutes=2)),
    )
    note = {
        "type": "meeting",
        "topic": "Note",
        "responsible_id": user,
        "participants": [{"role": "attendee", "display_name": "Petr"}],
    }
    assert (await api.post("/interactions", note)).status == 201
    return department, str(partner)


async def test_all_that_a_filter_finds_is_a_sheet_in_the_order_of_the_list(api: Api) -> None:
    await office(api)

    answer = await api.get("/interactions?format=csv&type=email&order=oldest&limit=1")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig")), delimiter=";"))

    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="interactions.csv"'
    assert [row["topic"] for row in rows] == ["'=HYPERLINK(1)", "Two", "Three"]
    assert [row["contact"] for row in rows] == ["Shop", "Olga", ""]
    assert [row["partner"] for row in rows] == ["Shop", "Shop", ""]
    assert [row["address"] for row in rows] == ["info@shop.example", "olga@shop.example", "else@x.example"]
    assert tuple(rows[0]) == COLUMNS


async def test_a_workbook_has_the_same_rows_and_no_formula(api: Api) -> None:
    await office(api)

    answer = await api.get("/interactions?format=xlsx&order=oldest")
    book = openpyxl.load_workbook(io.BytesIO(answer.body))

    cells = list(book.worksheets[0].iter_rows())
    topics = [row[COLUMNS.index("topic")] for row in cells[1:]]
    assert [(cell.value, cell.data_type) for cell in topics] == [
        ("=HYPERLINK(1)", "s"), ("Two", "s"), ("Three", "s"), ("Note", "s"),
    ]  # fmt: skip


async def test_an_unknown_form_and_a_wrong_filter_are_refused(api: Api) -> None:
    refused = [await api.get("/interactions?format=pdf"), await api.get("/interactions?format=csv&colour=red")]

    assert [answer.json["code"] for answer in refused] == ["invalid", "invalid"]


async def test_an_interaction_belongs_to_the_department_of_its_responsible(api: Api) -> None:
    department, _ = await office(api)

    found = (await api.get(f"/interactions?department={department}")).json["items"]
    others = (await api.get("/interactions?type=email")).json["items"]

    assert [one["topic"] for one in found] == ["Note"]
    assert found[0]["department"] == {"id": department, "name": "Sales"}
    assert {one["department"] for one in others} == {None}


async def test_of_a_partner_with_its_persons(api: Api) -> None:
    _, partner = await office(api)

    alone = (await api.get(f"/interactions?contact={partner}&order=oldest")).json["items"]
    all_of_it = (await api.get(f"/interactions?contact={partner}&tree=1&order=oldest")).json["items"]

    assert [one["topic"] for one in alone] == ["=HYPERLINK(1)"]
    assert [one["topic"] for one in all_of_it] == ["=HYPERLINK(1)", "Two"]
