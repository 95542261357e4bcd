"""Contacts over HTTP, as a partner program uses them."""

from pathlib import Path
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from starlette.middleware.base import RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from config.settings import Settings
from daemon import undo
from daemon.api import contacts
from daemon.api.problems import Problem, problem_response
from daemon.auth import Viewer
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk
from daemon.intake.manual import Draft, admit
from daemon.journal import Journal
from daemon.serving import Serving
from interactions.mime import parse
from interactions.records import Direction, Kind, Role
from storage.blobs import Blobs
from storage.database import Database
from storage.errors import Conflict, NotFound
from tests.fakes.asgi import Answer, ask

BASE = "/api/v1/contacts"
SHOP = 'Магазин "Бытовая техника (Москва)"'


class Client:
    """A program that talks to the API."""

    def __init__(self, app: FastAPI, database: Database) -> None:
        self.app, self.database = app, database

    async def get(self, target: str) -> Answer:
        return await ask(self.app, "GET", BASE + target)

    async def post(self, **fields: object) -> Answer:
        return await ask(self.app, "POST", BASE, fields)

    async def patch(self, contact_id: str, fields: object, **headers: str) -> Answer:
        return await ask(self.app, "PATCH", f"{BASE}/{contact_id}", fields, **headers)

    async def delete(self, contact_id: str, **headers: str) -> Answer:
        return await ask(self.app, "DELETE", f"{BASE}/{contact_id}", **headers)


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Client:
    async def parse_here(raw: bytes) -> object:
        return parse(raw)

    desk = Desk(database, Blobs(tmp_path), IntakeSettings(), parse_here)  # type: ignore[arg-type]
    app = FastAPI()
    app.state.serving = Serving(
        Settings(), database, desk, Journal(database), Blobs(tmp_path), public_url="https://crm.example.org"
    )
    app.include_router(contacts.router, prefix="/api/v1")

    @app.middleware("http")
    async def known(request: Request, answer: RequestResponseEndpoint) -> Response:
        request.scope["ringmail.viewer"] = Viewer("a program", "member")
        return await answer(request)

    @app.exception_handler(Problem)
    async def told(request: Request, problem: Problem) -> Response:
        return problem_response(problem)

    @app.exception_handler(NotFound)
    async def not_found(request: Request, error: NotFound) -> Response:
        return problem_response(Problem("not_found", str(error)))

    @app.exception_handler(Conflict)
    async def conflict(request: Request, error: Conflict) -> Response:
        return problem_response(Problem("conflict", str(error)))

    return Client(app, database)


async def called(client: Client, address: str, now: object) -> None:
    draft = Draft(
        Kind.PHONE_CALL, Direction.INCOMING, "Консультация", participants=((Role.SUBSCRIBER, SHOP, address, None),)
    )
    await client.database.in_transaction(lambda db: admit(db, draft, IntakeSettings(), now))  # type: ignore[arg-type]


async def test_a_contact_is_created_and_read_again(client: Client) -> None:
    made = await client.post(
        kind="partner", name=SHOP, phones=["+7 495 632-98-16", {"address": "101", "label": "внутр."}],
        emails=["info@shop.example"], domains=["shop.example"], inn="7701234567", tags=["vip"], external_ref="П-1",
    )  # fmt: skip

    assert made.status == 201
    read = await client.get("/" + made.json["id"])
    assert (read.status, read.json, read.headers["etag"]) == (200, made.json, '"1"')
    assert made.headers["etag"] == '"1"'
    assert {name: made.json[name] for name in ("kind", "name", "emails", "phones", "url", "partners", "comment")} == {
        "kind": "partner",
        "name": SHOP,
        "emails": [{"address": "info@shop.example", "label": "", "key": "info@shop.example"}],
        "phones": [
            {"address": "+7 495 632-98-16", "label": "", "key": "+74956329816"},
            {"address": "101", "label": "внутр.", "key": "101"},
        ],
        "url": f"https://crm.example.org/contacts/{made.json['id']}",
        "partners": [],
        "comment": None,
    }
    assert made.json["created_at"].endswith("Z")


async def test_a_person_has_its_present_partner_by_name(client: Client) -> None:
    shop = (await client.post(kind="partner", name=SHOP)).json["id"]

    person = await client.post(kind="contact_person", name="Иван", partner_id=shop)

    assert person.json["partner_id"] == shop
    assert person.json["partner"] == {"id": shop, "name": SHOP}
    assert person.json["partners"] == [{"id": shop, "name": SHOP, "since": None, "until": None}]


async def test_mistakes_are_told_all_at_once_with_their_paths(client: Client) -> None:
    answer = await client.post(kind="partner", name=SHOP, phones=["нет"], emails=["a@"], responsible_id=None)

    assert (answer.status, answer.json["code"]) == (422, "invalid")
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert [one["path"] for one in answer.json["errors"]] == ["emails.0", "phones.0"]


@pytest.mark.parametrize("fields", [{"name": None}, {"kind": None}, {"emails": ["a@"]}, {"partner_id": str(uuid4())}])
async def test_a_change_that_can_not_be_is_refused(client: Client, fields: object) -> None:
    made = await client.post(name="Иван")

    assert (await client.patch(made.json["id"], fields)).status == 422


async def test_what_was_read_can_be_sent_back_with_a_change(client: Client) -> None:
    shop = (await client.post(kind="partner", name=SHOP)).json["id"]
    made = (await client.post(name="Иван", partner_id=shop, phones=["(495) 632-98-16"])).json

    same = await client.patch(made["id"], made)
    changed = await client.patch(made["id"], {**made, "comment": "Звонить"}, if_match='"1"')

    assert (same.status, same.json) == (200, made)
    assert (changed.json["version"], changed.headers["etag"]) == (2, '"2"')
    assert {**changed.json, "comment": None, "version": 1, "updated_at": made["updated_at"]} == made


async def test_null_takes_away_and_a_list_is_replaced(client: Client) -> None:
    made = await client.post(name="Иван", comment="a", tags=["vip"], emails=["a@x.example", "b@x.example"])

    changed = await client.patch(made.json["id"], {"comment": None, "tags": None, "emails": ["b@x.example"]})

    assert (changed.json["comment"], changed.json["tags"]) == (None, [])
    assert [one["key"] for one in changed.json["emails"]] == ["b@x.example"]


@pytest.mark.parametrize("if_match", ['"7"', "nonsense", '"99999999999"'])
async def test_a_change_of_another_version_is_stale(client: Client, if_match: str) -> None:
    made = await client.post(name="Иван")

    for answer in (
        await client.patch(made.json["id"], {"name": "Пётр"}, if_match=if_match),
        await client.delete(made.json["id"], if_match=if_match),
    ):
        assert (answer.status, answer.json["code"]) == (412, "stale")


async def test_a_deleted_contact_is_gone_and_an_unknown_one_not_found(client: Client) -> None:
    made = await client.post(name="Иван", external_ref="1")

    assert (await client.delete(made.json["id"])).status == 204

    assert [(a.status, a.json["code"]) for a in (await client.get("/" + made.json["id"]), await client.get(f"/{uuid4()}"))] == [
        (410, "gone"),
        (404, "not_found"),
    ]  # fmt: skip
    again = await client.post(name="Мария", external_ref="1")
    assert (again.status, again.json["code"]) == (409, "conflict")


async def test_a_list_is_paged_by_name(client: Client) -> None:
    for name in ("Вера", "Анна", "Борис", "Глеб", "анна"):
        await client.post(name=name)

    names: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await client.get(f"?limit=2&cursor={cursor}")).json
        names += [one["name"] for one in page["items"]]
        cursor = page["next"]

    assert [name.lower() for name in names] == ["анна", "анна", "борис", "вера", "глеб"]


@pytest.mark.parametrize(
    "query", ["q=техника", "q=(495) 6329816", "q=INFO@shop.example", "kind=partner&kind=user", "external_ref=П-1"]
)
async def test_a_contact_is_found_by_words_numbers_and_filters(client: Client, query: str) -> None:
    await client.post(
        kind="partner", name=SHOP, phones=["84956329816"], emails=["info@shop.example"], external_ref="П-1"
    )
    await client.post(name="Иван", phones=["89161234567"])

    found = await client.get("?" + quote(query, safe="=&"))

    assert [one["name"] for one in found.json["items"]] == [SHOP]


@pytest.mark.parametrize("cursor", ["x", "W10", "bnVsbA", "eyJhIjoxfQ", quote("ё"), "WyJ4IiwgIngiXQ", "Wzcs"])
async def test_a_cursor_that_is_not_ours_is_refused(client: Client, cursor: str) -> None:
    assert (await client.get(f"?cursor={cursor}")).json["code"] == "invalid"
    made = await client.post(name="Иван")
    assert (await client.get(f"/{made.json['id']}/timeline?cursor={cursor}")).json["code"] == "invalid"


async def test_who_is_this_by_any_spelling(client: Client, now: object) -> None:
    shop = await client.post(kind="partner", name=SHOP, phones=["+7 495 632-98-16"], emails=["info@shop.example"])
    await called(client, "(495) 6329816", now)

    by_phone = await client.get("/lookup?phone=" + quote("8 (495) 632-98-16"))
    by_email = await client.get("/lookup?email=Info@Shop.example")
    nobody = await client.get("/lookup?phone=89161234567")

    assert by_phone.json["contact"] == by_email.json["contact"] == shop.json
    assert by_phone.json["match"] == {"rule": "phone_exact", "confidence": "exact"}
    [one] = by_phone.json["interactions"]
    assert (one["topic"], one["contact"]["name"], one["reviewed"]) == ("Консультация", SHOP, False)
    assert [chain["topic"] for chain in by_phone.json["chains"]] == ["Консультация"]
    assert nobody.status == 200
    assert (nobody.json["contact"], nobody.json["candidates"], nobody.json["interactions"]) == (None, [], [])


@pytest.mark.parametrize("query", ["", "phone=&email=", "phone=1&email=a@x.example", "email=nobody", "phone=anonymous"])
async def test_a_lookup_needs_one_address(client: Client, query: str) -> None:
    assert (await client.get("/lookup?" + query)).json["code"] == "invalid"


async def test_the_candidates_of_a_shared_address_are_listed(client: Client) -> None:
    for name in ("Иван", "Мария"):
        await client.post(name=name, emails=["a@x.example"])

    found = await client.get("/lookup?email=a@x.example")

    assert found.json["contact"] is None
    assert sorted(one["name"] for one in found.json["candidates"]) == ["Иван", "Мария"]


async def test_the_timeline_of_a_partner_has_what_was_with_its_persons(client: Client, now: object) -> None:
    shop = (await client.post(kind="partner", name=SHOP, phones=["84956329816"])).json["id"]
    person = (await client.post(name="Иван", partner_id=shop, phones=["89161234567"])).json["id"]
    for number in ("84956329816", "89161234567", "89161234567"):
        await called(client, number, now)

    first = await client.get(f"/{shop}/timeline?limit=2")
    rest = await client.get(f"/{shop}/timeline?cursor={first.json['next']}")
    own = await client.get(f"/{person}/timeline")

    assert [len(one.json["items"]) for one in (first, rest, own)] == [2, 1, 2]
    assert (rest.json["next"], own.json["next"]) == (None, None)
    assert len({UUID(one["id"]) for one in first.json["items"] + rest.json["items"]}) == 3
    assert (await client.get(f"/{uuid4()}/timeline")).status == 404


async def test_a_merged_contact_answers_gone_and_says_where_it_went(client: Client) -> None:
    old, new = [(await client.post(kind="partner", name=name, phones=[phone])).json["id"]
                for name, phone in (("Старый", "(495) 6329816"), ("Новый", "8 916 1234567"))]  # fmt: skip

    merged = await ask(client.app, "POST", f"{BASE}/{old}/merge", {"into": new})

    assert (merged.status, merged.json["merged_into"]) == (200, new)
    assert merged.json["undo"]
    gone = await client.get("/" + old)
    assert (gone.status, gone.json["code"], gone.json["merged_into"]) == (410, "gone", new)
    assert [one["key"] for one in (await client.get("/" + new)).json["phones"]] == ["+79161234567", "+74956329816"]
    again = await ask(client.app, "POST", f"{BASE}/{new}/merge", {"into": new})
    assert (again.status, again.json["errors"][0]["path"]) == (422, "into")


async def test_a_change_and_a_deletion_can_be_taken_back(client: Client) -> None:
    made = (await client.post(kind="partner", name="Магазин", phones=["(495) 6329816"])).json
    changed = await client.patch(made["id"], {"phones": [], "name": "Лавка"})
    same = await client.patch(made["id"], {"name": "Лавка"})
    assert "undo-token" not in same.headers

    async def take_back(token: str) -> None:
        await client.database.in_transaction(lambda db: undo.take_back(db, token, None))

    await take_back(changed.headers["undo-token"])
    back = (await client.get("/" + made["id"])).json
    assert (back["name"], back["phones"]) == (made["name"], made["phones"])

    deleted = await client.delete(made["id"])
    await take_back(deleted.headers["undo-token"])
    assert (await client.get("/" + made["id"])).json["phones"] == made["phones"]


async def test_contacts_that_may_be_one_are_suggested(client: Client) -> None:
    first = (await client.post(kind="partner", name="ООО Ромашка", inn="7701234567")).json["id"]
    second = (await client.post(kind="partner", name="Василёк", inn="7701234567")).json["id"]

    answer = await client.get("/duplicates")

    assert answer.status == 200
    [found] = answer.json["items"]
    assert (found["reason"], found["value"]) == ("inn", "7701234567")
    assert {one["id"]: one["name"] for one in found["contacts"]} == {first: "ООО Ромашка", second: "Василёк"}
