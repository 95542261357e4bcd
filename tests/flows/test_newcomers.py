"""People whom mail makes known become contacts by themselves where that is wished for, once, with their history."""

from pathlib import Path

from storage.database import Database
from tests.fakes.api import CONFIG, make_api
from tests.fakes.arrivals import raw_mail


async def test_people_we_wrote_to_and_who_wrote_to_us_become_contacts(database: Database, tmp_path: Path) -> None:
    api = await make_api(database, tmp_path, CONFIG + '\n[contacts]\nauto_create = "sent_and_received"\n')
    await api.mails(
        raw_mail("1", "Иван Петров <ivan@customer.example>"),
        raw_mail("2", "ivan@customer.example"),
        raw_mail("3", "sales@example.org", to="Olga <olga@other.example>, noreply@other.example"),
    )
    await api.mails(raw_mail("4", "Olga Z <olga@other.example>"))

    found = (await api.get("/contacts")).json["items"]
    shown = (await api.get("/interactions")).json["items"]

    assert [(one["name"], one["kind"], one["emails"][0]["address"]) for one in found] == [
        ("Olga", "individual", "olga@other.example"),
        ("Иван Петров", "individual", "ivan@customer.example"),
    ]
    assert {one["contact"]["name"] for one in shown} == {"Olga", "Иван Петров"}


async def test_a_private_mailbox_makes_nobody_known(database: Database, tmp_path: Path) -> None:
    private = CONFIG.replace('password = "x"', 'password = "x"\nprivacy = "private"\nmembers = ["anna@example.org"]')
    api = await make_api(database, tmp_path, private + '\n[contacts]\nauto_create = "sent_and_received"\n')

    await api.mails(raw_mail("1", "ivan@customer.example"))

    assert (await api.get("/contacts")).json["items"] == []


async def test_who_was_decided_to_be_nobody_stays_so_and_by_default_nobody_is_made(
    database: Database, tmp_path: Path
) -> None:
    first = await make_api(database, tmp_path / "a", scopes=("read", "write", "admin"))
    await first.mails(raw_mail("1", "ivan@customer.example"))
    [party] = (await first.get("/parties")).json["items"]
    assert (await first.get("/contacts")).json["items"] == []
    ignored = await first.patch(f"/parties/{party['id']}", {"ignored": True})

    second = await make_api(database, tmp_path / "b", CONFIG + '\n[contacts]\nauto_create = "sent_and_received"\n')
    await second.mails(raw_mail("2", "ivan@customer.example"))

    assert ignored.status in (200, 204)
    assert (await second.get("/contacts")).json["items"] == []
