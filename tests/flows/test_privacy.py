"""Access is open, and narrowed by `members` and `privacy`: what an outsider may not see appears in no answer of any route,
and the member sees it. The walk takes every route that can be read from the application itself: a new one is walked too,
and asks for a value of each parameter that is not known here.
"""

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from config.load import loads
from daemon import access
from daemon.server import routes
from storage import feed, quarantine
from storage.database import Database
from storage.quarantine import Kept
from tests.fakes.api import add_contact
from tests.fakes.arrivals import raw_mail
from tests.fakes.asgi import Answer
from tests.fakes.browser import served
from tests.fakes.office import NARROWED, Office, Person, make_office, secret_mail
from tests.fakes.routes import table

WORD = "zebra"
# Routes that show nothing of interactions, or have a test of their own; a dossier is everything, by law and by design.
NOT_WALKED = {
    "/healthz", "/readyz", "/login", "/metrics",
    "/api/v1/events/stream", "/api/v1/openapi.json", "/static", "/api/v1/contacts/{contact_id}/dossier",
    "/api/v1/audit", "/audit",
}  # fmt: skip
FILTERS = (
    "", "?full=1&limit=20", "?status=to_review", "?unmatched=1", "?has=attachment", "?source=ceo", "?order=oldest",
    "?type=email", "?direction=incoming", "?q=customer.example",
)  # fmt: skip


class Planted:
    """What is in the office: ids by the names of parameters of routes."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.values: dict[str, list[str]] = {}

    async def plant(self) -> None:
        office, api = self.office, self.office.api
        contact = await add_contact(api, "Ромашка", emails=["open@customer.example"])
        await api.mails(secret_mail("private", WORD), source="ceo")
        await api.mails(raw_mail("reply", "open@customer.example", subject="Offer", reply_to="private", text="yes"))
        await api.mails(secret_mail("alone", WORD, Cc="open@customer.example", minute=5), source="ceo")
        private = [one for one in (await office.anna.get("/interactions")).json["items"] if WORD in one["topic"]]
        opened = [one for one in (await office.anna.get("/interactions")).json["items"] if one["topic"] == "Offer"]
        assert (len(private), len(opened)) == (2, 1)
        [alone] = [one for one in private if one["chain"]["id"] != opened[0]["chain"]["id"]]
        hidden = await self._subject("zebradeal", from_chain_id=alone["chain"]["id"])
        seen = await self._subject("Open deal", from_chain_id=opened[0]["chain"]["id"])
        async with api.serving.database.connection() as db:
            await quarantine.add_mails(db, "ceo", [Kept(uuid4(), "zebra can't be read", {"folder": "zebra"}, b"")])
            rows = await db.fetch("SELECT id FROM address WHERE value LIKE 'zebra%'")
            entry = await db.fetchval("SELECT id FROM quarantine")
            await db.execute("UPDATE interaction SET external_ref = $1 WHERE id = $2", "zebraref", alone["id"])
        await api.index()
        await office.number()
        everything = [*private, *opened]
        self.values = {
            "interaction_id": [one["id"] for one in everything],
            "chain_id": [one["chain"]["id"] for one in everything],
            "contact_id": [str(contact)],
            "party_id": [str(row["id"]) for row in rows],
            "subject_id": [hidden, seen],
            "user_id": [str(office.anna.user_id)],
            "external_ref": ["zebraref"],
            "n": ["0", "1"],
            "entry_id": [str(entry)],
            "name": ["ceo"],
            "secret": ["none"],
        }
        self.private = {one["id"] for one in private} | {alone["chain"]["id"], hidden}
        self.alone, self.opened = alone, opened[0]

    async def _subject(self, title: str, **fields: str) -> str:
        made = await self.office.anna.ask("POST", "/subjects", {"kind": "deal", "title": title, **fields})
        assert made.status == 201, made.body
        return str(made.json["id"])

    def paths(self) -> list[str]:
        """Every address that can be read, with every value of its parameters."""
        there = {path for method, path in table(routes(self.office.api.serving).routes) if method == "GET"}
        assert there >= NOT_WALKED
        assert len(there) > 30
        found = [filled for path in sorted(there - NOT_WALKED) for filled in self._filled(path)]
        return [path + more for path in found for more in (FILTERS if path.endswith("/interactions") else ("",))] + [
            "/api/v1/contacts/lookup?email=zebrasender@customer.example",
            "/api/v1/contacts/lookup?email=open@customer.example",
            "/api/v1/events?after=0&limit=3",
        ]

    def _filled(self, path: str) -> list[str]:
        """A path with each value of each parameter."""
        slot = re.search(r"\{(\w+)(?::\w+)?\}", path)
        if slot is None:
            return [path]
        return [one for value in self.values[slot[1]] for one in self._filled(path.replace(slot[0], value))]


async def read(person: Person, path: str) -> Answer:
    is_api = path.startswith("/api/v1")
    return await (person.get(path.removeprefix("/api/v1")) if is_api else person.page(path))


@pytest.fixture
async def planted(database: Database, tmp_path: Path) -> Planted:
    found = Planted(await make_office(database, tmp_path))
    await found.plant()
    return found


async def test_no_route_shows_an_outsider_anything_of_a_private_mailbox(planted: Planted) -> None:
    office, told = planted.office, ""
    outsiders = [office.boris, office.admin, office.read_token]

    for path in planted.paths():
        for person in outsiders:
            answer = await read(person, path)
            text = answer.body.decode(errors="replace").replace(path.partition("?")[2], "")
            leaks = [one for one in (WORD, *planted.private) if one in text and one not in path]
            assert (path, leaks) == (path, [])
            assert answer.status < 500, path
        told += (await read(office.anna, path)).body.decode(errors="replace")

    for part in ("topic", "body", "file.txt", "sender", "content", "deal", "ref"):
        assert WORD + part in told
    assert all(one in told for one in planted.private)


async def test_the_audit_log_names_ids_of_private_mail_to_administrators_and_none_of_its_words(
    planted: Planted,
) -> None:
    await planted.office.anna.get(f"/interactions/{planted.alone['id']}")
    await planted.office.anna.get("/contacts/lookup?email=zebrasender@customer.example")

    text = (await planted.office.admin.get("/audit?limit=200")).body.decode()

    assert (planted.alone["id"] in text, WORD in text) == (True, False)


async def test_a_chain_shows_an_outsider_only_what_he_sees_of_it(planted: Planted) -> None:
    one = (await planted.office.boris.get(f"/interactions/{planted.opened['id']}")).json

    assert (one["chain"]["size"], one["chain"]["root_id"]) == (1, one["id"])
    assert one["subject"]["title"] == "Open deal"
    chain = (await planted.office.boris.get(f"/chains/{one['chain']['id']}")).json
    assert [member["id"] for member in chain["items"]] == [one["id"]]
    assert (chain["root_id"], planted.opened["chain"]["size"]) == (one["id"], 2)


async def test_a_deal_shows_an_outsider_only_those_who_took_part_in_what_he_sees(planted: Planted) -> None:
    _, seen = planted.values["subject_id"]

    for person, expected in ((planted.office.anna, True), (planted.office.boris, False)):
        names = json.dumps((await person.get(f"/subjects/{seen}")).json["participants"])
        assert ((WORD in names), "open@customer.example" in names) == (expected, True)


async def test_numbers_count_only_what_is_seen(planted: Planted) -> None:
    def waiting(page: Answer) -> str:
        return page.body.decode().partition("status=to_review")[2][:400]

    anna, boris = [waiting(await one.page("/")) for one in (planted.office.anna, planted.office.boris)]
    assert (">3<" in anna, ">1<" in boris) == (True, True)


async def test_words_of_private_mail_are_found_by_members_only(planted: Planted) -> None:
    for word in ("zebratopic", "zebrabody", "zebrafile.txt", "zebrasender@customer.example"):
        found = {
            name: len((await planted.office.people[name].get(f"/interactions?q={word}")).json["items"])
            for name in ("anna", "boris", "admin", "read_token", "admin_token", "grigori", "vera", "dora")
        }
        assert found == dict.fromkeys(found, 2) | dict.fromkeys(("boris", "admin", "read_token"), 0)


async def test_an_outsider_hears_of_addresses_contacts_and_sources_as_everybody_does(planted: Planted) -> None:
    office, [party] = planted.office, planted.values["party_id"]
    changes = [
        feed.Change("address.relinked", UUID(party), {"key": "zebrakey"}),
        feed.Change("contact.updated", UUID(planted.values["contact_id"][0])),
        feed.Change("source.state_changed", None, {"name": "ceo"}),
    ]
    async with office.api.serving.database.connection() as db:
        last = await feed.last(db)
        await feed.add(db, changes)
    await office.number()

    told = [
        [one["type"] for one in (await person.get(f"/events?after={last}")).json["items"]]
        for person in (office.anna, office.boris)
    ]

    assert told == [
        ["address.relinked", "contact.updated", "source.state_changed"],
        ["contact.updated", "source.state_changed"],
    ]


async def test_the_stream_tells_an_outsider_nothing_of_it(planted: Planted) -> None:
    office = planted.office
    async with served(office.api.app) as url, aiohttp.ClientSession() as http:
        for person, expected in ((office.anna, True), (office.boris, False)):
            async with http.get(f"{url}/api/v1/events/stream?after=0", headers=person.headers) as answer:
                text = ""
                while "Open deal" not in text or "subject.created" not in text:
                    text += (await answer.content.readline()).decode()
                await office.number()
                assert (WORD in text) is expected


CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("PATCH", "/interactions/{interaction_id}", {"responsible_id": "{boris}"}),
    ("DELETE", "/interactions/{interaction_id}", {}),
    ("PUT", "/interactions/{interaction_id}/participants/0/contact", {"contact_id": None}),
    ("POST", "/interactions/{interaction_id}/attachments?name=a.txt", {"a": 1}),
    ("POST", "/chains/{chain_id}/split", {"interaction_id": "{interaction_id}"}),
    ("POST", "/chains/{chain_id}/merge", {"into": "{open_chain}"}),
    ("POST", "/chains/{open_chain}/merge", {"into": "{chain_id}"}),
    ("POST", "/subjects", {"kind": "deal", "title": "Mine", "from_interaction_id": "{interaction_id}"}),
    ("POST", "/subjects", {"kind": "deal", "title": "Mine", "from_chain_id": "{chain_id}"}),
    ("PATCH", "/subjects/{subject_id}", {"title": "Mine"}),
    ("POST", "/parties/{party_id}/promote", {"kind": "individual", "name": "Mine"}),
    ("PATCH", "/parties/{party_id}", {"ignored": True}),
    ("POST", "/quarantine/{entry_id}/retry", {}),
    ("POST", "/interactions/{interaction_id}/carry-out", {"type": "meeting"}),
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
async def test_an_outsider_changes_nothing_that_he_does_not_see(planted: Planted, number: int) -> None:
    method, path, body = CHANGES[number]
    values = {name: some[0] for name, some in planted.values.items()} | {
        "interaction_id": planted.alone["id"], "chain_id": planted.alone["chain"]["id"],
        "open_chain": planted.opened["chain"]["id"], "boris": str(planted.office.boris.user_id),
    }  # fmt: skip

    def filled(text: str) -> str:
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    answer = await planted.office.boris.ask(method, filled(path), json.loads(filled(json.dumps(body))))

    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert WORD.encode() not in answer.body


async def test_a_bulk_change_reaches_only_what_is_seen(planted: Planted) -> None:
    for which in ({"filter": {}}, {"ids": [planted.alone["id"], planted.opened["id"]]}):
        answer = await planted.office.boris.ask(
            "POST", "/interactions/bulk", {**which, "set": {"tags": [f"t{len(which)}{next(iter(which))}"]}}
        )
        assert answer.json["changed"] == 1

    assert (await planted.office.anna.get(f"/interactions/{planted.alone['id']}")).json["tags"] == []


@pytest.mark.parametrize("name", ["chain_id", "based_on_id"])
async def test_nobody_adds_to_a_chain_that_he_does_not_see(planted: Planted, name: str) -> None:
    value = planted.alone["chain"]["id"] if name == "chain_id" else planted.alone["id"]

    answer = await planted.office.boris.ask("POST", "/interactions", {"type": "meeting", "topic": "x", name: value})

    assert (answer.status, answer.json["errors"][0]["path"]) == (422, name)


async def test_whoever_is_made_responsible_sees_it_and_no_longer_when_another_is(planted: Planted) -> None:
    office, path = planted.office, f"/interactions/{planted.alone['id']}"
    assert (await office.boris.get(path)).status == 404

    await office.anna.ask("PATCH", path, {"responsible_id": str(office.boris.user_id)})
    assert "zebrabody" in (await office.boris.get(path)).json["email"]["body_text"]

    await office.anna.ask("PATCH", path, {"responsible_id": None})
    assert (await office.boris.get(path)).status == 404


async def test_a_mail_that_lies_in_an_open_mailbox_too_is_seen_there(planted: Planted) -> None:
    await planted.office.api.mails(secret_mail("alone", WORD, Cc="open@customer.example", minute=5))

    seen = (await planted.office.boris.get(f"/interactions/{planted.alone['id']}")).json

    assert (seen["topic"], seen["source"]) == ("zebratopic", None)
    assert {place["mailbox"] for place in seen["email"]["locations"]} == {"sales"}


async def test_what_the_configuration_says_holds_at_once_and_a_mailbox_that_left_stays_shut(planted: Planted) -> None:
    office, path = planted.office, f"/interactions/{planted.alone['id']}"
    serving = office.api.serving
    async with serving.database.connection() as db:
        await access.remember(db, serving.settings)
        gone = loads(NARROWED.replace('"ceo"', '"new"').replace("ceo@", "new@"), Path("."), {}).settings
        serving.settings, serving.departed = gone, await access.remember(db, gone)
    assert [(await one.get(path)).status for one in (office.anna, office.boris)] == [200, 404]

    opened = NARROWED.replace('privacy = "private"\nmembers = ["Anna@Example.org", "dept:Board"]\n', "")
    serving.settings, serving.departed = loads(opened, Path("."), {}).settings, ()
    assert [(await one.get(path)).status for one in (office.anna, office.boris)] == [200, 200]


# members: the header is seen, what it says is not


@pytest.fixture
async def closed(database: Database, tmp_path: Path) -> tuple[Office, str]:
    office = await make_office(database, tmp_path)
    [one] = await office.api.mails(secret_mail("claim", WORD, "claims@example.org"), source="claims")
    await office.api.index()
    await office.number()
    return office, str(one)


async def test_others_see_the_header_of_a_mail_to_members_and_not_what_it_says(closed: tuple[Office, str]) -> None:
    office, one = closed

    seen = (await office.boris.get(f"/interactions/{one}")).json
    assert (seen["topic"], seen["access"], seen["attachments"]) == ("zebratopic", "headers", [])
    assert seen["participants"][0]["address"] == "zebrasender@customer.example"
    assert (seen["email"]["body_text"], seen["email"]["reply_text"], seen["email"]["has_html"]) == ("", "", False)
    for path in ("raw", "body", "attachments/0"):
        assert (await office.boris.get(f"/interactions/{one}/{path}")).json["code"] == "forbidden"
    for path in ("/interactions", "/interactions?full=1", f"/chains/{seen['chain']['id']}", "/events"):
        text = (await office.boris.get(path)).body.decode()
        assert ("zebratopic" in text, "zebrabody" in text, "zebrafile" in text) == (True, False, False)
    for path in (f"/interactions/{one}", f"/chains/{seen['chain']['id']}", "/"):
        text = (await office.boris.page(path)).body.decode()
        assert ("zebratopic" in text, "zebrabody" in text, "zebrafile" in text) == (True, False, False)
    whole = (await office.anna.get(f"/interactions/{one}")).json
    assert (whole["access"], "zebrabody" in whole["email"]["body_text"]) == ("full", True)


QUERIES = [
    ("zebratopic", 1), ("zebra name", 1), ("zebrabody", 0), ("zebrafile", 0), ("zebratopic -zebrabody", 1),
    ("zebratopic -nonsense", 1), ("-nonsense", 0), ("zebratopic zebrabody", 0), ("zebratopic or zebrabody", 1),
    ("zebrabody or nonsense", 0), ("zebrasender@customer.example", 1),
]  # fmt: skip


async def test_words_of_the_text_find_nothing_for_those_who_may_not_read_it(closed: tuple[Office, str]) -> None:
    office, _ = closed

    found = [
        (q, len((await office.boris.get(f"/interactions?q={q.replace(' ', '+')}")).json["items"])) for q, _ in QUERIES
    ]

    assert found == QUERIES
    assert len((await office.anna.get("/interactions?q=zebrabody")).json["items"]) == 1
    assert (await office.boris.get("/interactions?has=attachment")).json["items"] == []


async def test_who_may_not_read_a_mail_may_not_change_it_either(closed: tuple[Office, str]) -> None:
    office, one = closed

    taken = await office.boris.ask("PATCH", f"/interactions/{one}", {"responsible_id": str(office.boris.user_id)})
    many = await office.boris.ask("POST", "/interactions/bulk", {"ids": [one], "set": {"reviewed": True}})
    page = await office.boris.send(f"/interactions/{one}/reviewed", reviewed="1")

    assert (taken.status, taken.json["code"]) == (403, "forbidden")
    assert (many.json["changed"], page.status) == (0, 403)


async def test_where_nothing_is_narrowed_everybody_sees_everything(database: Database, tmp_path: Path) -> None:
    office = await make_office(database, tmp_path, NARROWED.partition('[[mailbox]]\nname = "ceo"')[0])
    await office.api.mails(secret_mail("open", WORD, "sales@example.org"))

    for person in office.people.values():
        [one] = (await person.get("/interactions?full=1")).json["items"]
        assert (one["access"], "zebrabody" in one["email"]["body_text"]) == ("full", True)
