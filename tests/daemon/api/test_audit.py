"""GET /audit: what people and programs changed, read and looked up, for administrators."""

from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from tests.fakes.arrivals import raw_mail
from tests.fakes.office import Office, make_office, secret_mail


@pytest.fixture
async def office(database: Database, tmp_path: Path) -> Office:
    return await make_office(database, tmp_path)


async def log(office: Office, query: str = "") -> list[dict[str, Any]]:
    """Lines of the log, the oldest first."""
    answer = await office.admin.get(f"/audit?limit=200{query}")
    assert answer.status == 200, answer.body
    return list(reversed(answer.json["items"]))


async def test_what_a_person_changes_is_in_the_log_with_who_what_and_which_fields(office: Office) -> None:
    made = (await office.anna.ask("POST", "/interactions", {"type": "meeting", "topic": "secret words"})).json
    await office.anna.ask("PATCH", f"/interactions/{made['id']}", {"topic": "other words", "reviewed": True})
    await office.boris.send(f"/interactions/{made['id']}/reviewed", reviewed="0")
    await office.anna.ask("DELETE", f"/interactions/{made['id']}")

    found = await log(office, f"&object={made['id']}")

    told = [(one["action"], one["actor"]["name"], one["details"].get("fields")) for one in found]
    assert told == [
        ("interaction.created", "Anna", None),
        ("interaction.updated", "Anna", ["reviewed", "topic"]),
        ("interaction.updated", "Boris", ["reviewed"]),
        ("interaction.deleted", "Anna", None),
    ]
    assert found[0]["object"] == {"kind": "interaction", "id": made["id"]}
    assert found[0]["actor"] == {
        "kind": "user", "id": str(office.anna.user_id), "name": "Anna", "address": "127.0.0.1",
    }  # fmt: skip
    assert "words" not in str(found)


async def test_what_is_read_is_in_the_log_and_a_list_is_not(office: Office) -> None:
    [one] = await office.api.mails(secret_mail("1", "word", "sales@example.org"))
    await office.boris.get("/interactions")
    await office.boris.get(f"/interactions/{one}")
    await office.boris.get("/interactions?full=1")
    for path in ("body", "raw", "attachments/0"):
        await office.boris.get(f"/interactions/{one}/{path}")
    await office.boris.page(f"/interactions/{one}")

    found = await log(office, f"&user={office.boris.user_id}")

    assert [entry["action"].removeprefix("interaction.") for entry in found] == [
        "read", "read", "read", "original_read", "file_read", "read",
    ]  # fmt: skip
    assert {entry["object"]["id"] for entry in found} == {str(one)}


async def test_a_header_is_nobodys_secret_so_seeing_it_is_not_reading(office: Office) -> None:
    [one] = await office.api.mails(secret_mail("1", "word", "claims@example.org"), source="claims")

    await office.boris.get(f"/interactions/{one}")
    await office.boris.get("/interactions?full=1")
    await office.boris.get(f"/interactions/{one}/raw")
    await office.boris.page(f"/interactions/{one}")

    assert await log(office, f"&user={office.boris.user_id}") == []


async def test_a_lookup_is_in_the_log_without_the_number(office: Office) -> None:
    await office.api.mails(raw_mail("1"))
    for who in ("phone=84956329816", "email=ivan@customer.example"):
        await office.boris.get(f"/contacts/lookup?{who}")

    found = await log(office)

    assert [(one["action"], one["object"] is None, one["details"]) for one in found] == [
        ("party.looked_up", True, {"by": "phone"}),
        ("party.looked_up", False, {"by": "email"}),
    ]
    assert "6329816" not in str(found)


async def test_a_sheet_is_in_the_log(office: Office) -> None:
    await office.api.mails(raw_mail("1"))
    await office.boris.get("/interactions?format=csv")

    [one] = await log(office)
    assert (one["action"], one["details"]) == ("interactions.exported", {"format": "csv", "count": 1})


async def test_a_dossier_is_in_the_log_once(office: Office) -> None:
    made = (await office.anna.ask("POST", "/contacts", {"kind": "individual", "name": "Иван"})).json
    await office.admin.ask("GET", f"/contacts/{made['id']}/dossier")

    assert [one["action"] for one in await log(office, f"&object={made['id']}")] == [
        "contact.created",
        "contact.dossier_read",
    ]


async def test_users_departments_sources_and_bulk_changes_are_in_the_log(office: Office) -> None:
    [first, second] = await office.api.mails(raw_mail("1"), raw_mail("2", subject="other"))
    await office.admin.ask("PATCH", f"/users/{office.boris.user_id}", {"role": "reader"})
    await office.admin.ask("POST", "/departments", {"name": "Office"})
    await office.admin.ask("POST", "/sources/sales/pause")
    await office.anna.ask("POST", "/interactions/bulk", {"ids": [str(first), str(second)], "set": {"tags": ["a"]}})

    told = [(one["action"], one["actor"]["name"], one["details"]) for one in await log(office)]

    assert told == [
        ("user.updated", "Admin", {"fields": ["role"]}),
        ("department.saved", "Admin", {}),
        ("source.paused", "Admin", {"name": "sales"}),
        ("interaction.updated", "Anna", {"fields": ["tags"]}),
        ("interaction.updated", "Anna", {"fields": ["tags"]}),
    ]


async def test_mail_that_comes_in_and_requests_that_are_refused_are_not_in_the_log(office: Office) -> None:
    await office.api.mails(raw_mail("1"))
    await office.boris.ask("POST", "/interactions", {"type": "meeting"})
    await office.boris.ask("PATCH", f"/users/{office.anna.user_id}", {"role": "admin"})

    assert await log(office) == []


async def test_only_administrators_read_the_log(office: Office) -> None:
    asked = {name: (await person.get("/audit")).status for name, person in office.people.items()}

    assert asked == dict.fromkeys(asked, 403) | {"admin": 200, "admin_token": 200}


async def test_pages_of_the_log_follow_each_other(office: Office) -> None:
    for n in range(5):
        await office.anna.ask("POST", "/interactions", {"type": "meeting", "topic": f"t{n}"})
    whole = [one["id"] for one in reversed(await log(office, "&action=interaction.created"))]

    seen, cursor = [], ""
    while True:
        page = (await office.admin.get(f"/audit?action=interaction.created&limit=2{cursor}")).json
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert (seen, len(seen)) == (whole, 5)
    assert await log(office, "&since=2999-01-01") == await log(office, "&until=2000-01-01") == []


@pytest.mark.parametrize(
    "query", ["since=never", "until=x", "cursor=abc", "user=anna", "object=1", "limit=0", "limit=201"]
)
async def test_what_can_not_be_asked_is_said(office: Office, query: str) -> None:
    answer = await office.admin.get(f"/audit?{query}")

    assert (answer.status, answer.json["code"], answer.json["errors"][0]["path"]) == (
        422,
        "invalid",
        query.partition("=")[0],
    )
