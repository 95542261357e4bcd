"""Interactions over HTTP: made, changed, made again, deleted; and whatever else a program may send."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from storage.database import Database
from tests.fakes.api import CONFIG, Api, add_contact, make_api
from tests.fakes.arrivals import raw_mail

CALL: dict[str, Any] = {"type": "phone_call", "direction": "incoming", "topic": "Консультация"}
IVAN = {"role": "subscriber", "display_name": "Иван", "address": "(495) 6329816"}


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def made(api: Api, **fields: object) -> dict[str, Any]:
    answer = await api.post("/interactions", {**CALL, **fields})
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.json
    return found


async def count(api: Api) -> int:
    async with api.serving.database.connection() as db:
        return int(await db.fetchval("SELECT count(*) FROM interaction"))


# Making


async def test_what_was_made_is_what_is_read(api: Api) -> None:
    answer = await api.post("/interactions", {**CALL, "participants": [IVAN], "tags": ["vip"], "extra": {"deal": [1, None]}, "comment": "c", "occurred_at": "2026-11-23T12:30:00+03:00"})  # fmt: skip

    record = answer.json
    assert (answer.status, answer.headers["etag"]) == (201, '"1"')
    assert answer.headers["location"] == f"/api/v1/interactions/{record['id']}"
    read = await api.get(f"/interactions/{record['id']}")
    assert (read.json, read.headers["etag"]) == (record, '"1"')
    assert record["occurred_at"] == "2026-11-23T09:30:00Z"
    assert record["url"] == f"https://crm.example.org/interactions/{record['id']}"
    assert (record["tags"], record["extra"], record["comment"]) == (["vip"], {"deal": [1, None]}, "c")
    assert (record["author"], record["reviewed"], record["source"], record["on_control"]) == (None, False, None, None)
    assert record["call"] == {
        "state": "ended", "result": None, "started_at": None, "answered_at": None, "ended_at": None, "answered_by": None,
        "ring_seconds": None, "talk_seconds": None, "line": None, "legs": [], "transfers": [], "recordings": [],
        "voicemail": False,
    }  # fmt: skip
    assert not {"meeting", "email", "sms", "planned", "excerpt"} & record.keys()


NAMES_OF = {
    "meeting": {"starts_at", "ends_at", "location", "ical_uid", "status"},
    "planned": {"due_at", "repeats", "intended_type", "state", "carried_out_as"},
    "sms": {"text", "state", "segments", "service"},
}


@pytest.mark.parametrize(
    ("fields", "block"),
    [
        ({"type": "meeting", "meeting": {"starts_at": "2026-12-01T10:00:00Z"}}, {"status": "planned", "starts_at": "2026-12-01T10:00:00Z"}),
        ({"type": "planned", "planned": {"due_at": "2026-12-01T10:00:00Z"}}, {"state": "open", "due_at": "2026-12-01T10:00:00Z", "carried_out_as": []}),
        ({"type": "sms", "direction": "outgoing", "sms": {"text": "Ждём вас"}}, {"text": "Ждём вас", "state": "sent"}),
        ({"type": "sms", "direction": "incoming"}, {"text": "", "state": "received"}),
    ],
)  # fmt: skip
async def test_each_type_has_the_block_of_its_name(api: Api, fields: dict[str, Any], block: dict[str, Any]) -> None:
    record = await made(api, **fields)

    assert record[fields["type"]].items() >= block.items()
    assert record[fields["type"]].keys() == NAMES_OF[fields["type"]]
    assert "call" not in record


async def test_a_topic_or_one_participant_with_any_text_is_needed(api: Api) -> None:
    for fields in ({"topic": "x"}, {"topic": "", "participants": [{"address": "1"}]}, {"topic": "", "participants": [{"display_name": "?"}]}):  # fmt: skip
        assert (await api.post("/interactions", {**CALL, **fields})).status == 201
    for fields in (
        {"topic": ""},
        {"topic": " \n"},
        {"topic": "", "participants": [{"role": "from"}, {"address": " "}]},
    ):
        answer = await api.post("/interactions", {**CALL, **fields})
        assert (answer.status, answer.json["code"]) == (422, "invalid")
        assert "topic" in answer.json["detail"]


DEEP: Any = 0
for _ in range(100):
    DEEP = [DEEP]
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"type": "fax"}, "type"),
    ({"type": "email"}, "type"),
    ({"type": None}, "type"),
    ({"direction": "in"}, "direction"),
    ({"importance": "urgent"}, "importance"),
    ({"reviewed": "perhaps"}, "reviewed"),
    ({"typo": 1}, "typo"),
    ({"topic": "x" * 1025}, "topic"),
    ({"topic": "a\x00b"}, "topic"),
    ({"topic": 5}, "topic"),
    ({"topic": "\ud800"}, "topic"),
    ({"\ud800": 1}, ""),
    ({"description": "x" * 1_000_001}, "description"),
    ({"comment": "\x00"}, "comment"),
    ({"tags": [""]}, "tags.0"),
    ({"tags": ["x"] * 101}, "tags"),
    ({"tags": ["ok", "x\x00"]}, "tags.1"),
    ({"participants": [{"address": "1"}] * 1001}, "participants"),
    ({"participants": [{"role": "boss"}]}, "participants.0.role"),
    ({"participants": [{}, {"display_name": "x" * 1025}]}, "participants.1.display_name"),
    ({"participants": [{"address": "\x00"}]}, "participants.0.address"),
    ({"participants": [{"contact_id": "x"}]}, "participants.0.contact_id"),
    ({"participants": {"address": "1"}}, "participants"),
    ({"occurred_at": "2026-11-23T09:30:00"}, "occurred_at"),
    ({"occurred_at": "yesterday"}, "occurred_at"),
    ({"occurred_at": "0001-01-01T00:00:00Z"}, "occurred_at"),
    ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at"),
    ({"extra": {"x": "y" * 70_000}}, "extra"),
    ({"extra": {"x": DEEP}}, "extra"),
    ({"extra": {"x": "\x00"}}, "extra"),
    ({"extra": {"\x00": 1}}, "extra"),
    ({"extra": {"x": float("nan")}}, "extra"),
    ({"extra": {"x": float("-inf")}}, "extra"),
    ({"extra": []}, "extra"),
    ({"call": {"result": DEEP}}, ""),
    ({"external_ref": ""}, "external_ref"),
    ({"external_ref": "x" * 201}, "external_ref"),
    ({"responsible_id": "anna"}, "responsible_id"),
    ({"chain_id": str(uuid4())}, "chain_id"),
    ({"based_on_id": str(uuid4())}, "based_on_id"),
    ({"chain_id": str(uuid4()), "based_on_id": str(uuid4())}, ""),
    ({"participants": [{"contact_id": str(uuid4())}]}, "contact_id"),
    ({"responsible_id": str(uuid4())}, "contact_id"),
]


async def test_what_can_not_be_used_is_told_with_its_path_and_leaves_nothing(api: Api) -> None:
    for fields, path in WRONG:
        answer = await api.post("/interactions", {**CALL, **fields})
        shown = str(fields)[:60].encode("utf-8", "replace")
        assert (answer.status, answer.json["code"]) == (422, "invalid"), shown
        assert answer.headers["content-type"] == "application/problem+json"
        assert any(one["path"].startswith(path) for one in answer.json["errors"]), (shown, answer.json)
    assert await count(api) == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b'"x"', b"null", b"\xff\xfe", b"\x00", b"[" * 100_000, b'{"type":' * 50_000,
        b'{"type": "sms", "topic": "x", "occurred_at": ' + b"9" * 5000 + b"}", b'{"topic": "\\ud800", "type": "sms"}',
    ],
)  # fmt: skip
async def test_a_body_that_is_no_object_of_json_is_refused(api: Api, raw: bytes) -> None:
    answer = await api.post("/interactions", raw)

    assert answer.status in (400, 422)
    assert answer.json["code"] == "invalid"
    assert await count(api) == 0


async def test_what_is_only_odd_is_kept(api: Api) -> None:
    people = [{"display_name": "\u202eкто\u0007", "address": "' OR 1=1 --"}] + [{"address": f"a{n}@example.org"} for n in range(999)]  # fmt: skip

    record = await made(api, topic="<script>alert(1)</script>" + "я" * 900, participants=people, extra={"x": [[[{}]]], "": ""})  # fmt: skip

    assert record["topic"].startswith("<script>")
    assert len(record["participants"]) == 1000
    assert record["participants"][0]["address"] == "' OR 1=1 --"
    assert record["extra"] == {"x": [[[{}]]], "": ""}


async def test_it_joins_the_chain_it_is_told(api: Api) -> None:
    first = await made(api)

    by_chain = await made(api, chain_id=first["chain"]["id"])
    by_base = await made(api, type="meeting", based_on_id=first["id"])

    assert [one["chain"]["id"] for one in (by_chain, by_base)] == [first["chain"]["id"]] * 2
    assert [one["chain"]["link"]["rule"] for one in (first, by_chain, by_base)] == ["root", "manual", "based_on"]
    assert by_base["chain"]["size"] == 3


# Changing


async def test_a_patch_changes_what_it_names_and_null_takes_away(api: Api) -> None:
    record = await made(api, description="d", comment="c", tags=["a"], extra={"x": 1}, importance="high", participants=[IVAN])  # fmt: skip
    path = f"/interactions/{record['id']}"

    changed = await api.patch(path, {"topic": "T", "description": "Новое описание", "reviewed": True})
    cleared = await api.patch(path, {"description": None, "comment": None, "tags": None, "extra": None, "topic": None})

    assert (changed.status, changed.headers["etag"], changed.json["comment"]) == (200, '"2"', "c")
    assert changed.json["reviewed_at"] is not None
    assert [cleared.json[name] for name in ("topic", "description", "comment", "tags", "extra")] == ["", "", None, [], {}]  # fmt: skip
    assert (cleared.json["importance"], cleared.json["reviewed"], len(cleared.json["participants"])) == (
        "high",
        True,
        1,
    )


async def test_the_line_of_the_list_says_what_the_description_says(api: Api) -> None:
    record = await made(api, description="старое")
    sms = await made(api, type="sms", sms={"text": "сама СМС"}, description="о ней")

    await api.patch(f"/interactions/{record['id']}", {"description": "новое"})
    await api.patch(f"/interactions/{sms['id']}", {"description": "ещё о ней"})

    lines = {one["id"]: one["excerpt"] for one in (await api.get("/interactions")).json["items"]}
    assert lines == {record["id"]: "новое", sms["id"]: "сама СМС"}


@pytest.mark.parametrize(
    ("patch", "path"),
    [
        ({"typo": 1}, "typo"),
        ({"importance": None}, "importance"),
        ({"reviewed": None}, "reviewed"),
        ({"participants": None}, "participants"),
        ({"review_after": "tomorrow"}, "review_after"),
        ({"review_after": "9999-12-31T23:59:59-14:00"}, "review_after"),
        ({"subject_kind": None}, "subject_kind"),
        ({"chain_id": str(uuid4())}, "chain_id"),
        ({"responsible_id": str(uuid4())}, "contact_id"),
        ({"topic": None}, ""),
        ({"extra": {"x": DEEP}}, "extra"),
    ],
)
async def test_a_patch_that_can_not_be_applied_changes_nothing(api: Api, patch: dict[str, Any], path: str) -> None:
    record = await made(api)

    answer = await api.patch(f"/interactions/{record['id']}", patch)

    assert (answer.status, answer.json["code"]) == (422, "invalid")
    assert [one["path"] for one in answer.json["errors"]] == [path]
    assert (await api.get(f"/interactions/{record['id']}")).json == record


async def test_a_record_may_be_sent_back_as_it_was_read(api: Api) -> None:
    shop = await add_contact(api, "Магазин")
    record = await made(api, participants=[{**IVAN, "contact_id": str(shop)}, {"address": "+7 495 000-00-01"}])

    answer = await api.patch(f"/interactions/{record['id']}", {**record, "topic": "T", "number": 7, "id": str(uuid4())})

    assert answer.status == 200
    left_alone = {name for name in record if name not in ("topic", "updated_at", "subject")}
    assert {name: answer.json[name] for name in left_alone} == {name: record[name] for name in left_alone}
    assert answer.json["participants"][0]["contact"]["id"] == str(shop)


async def test_only_the_version_that_was_read_is_changed(api: Api) -> None:
    record = await made(api)
    path = f"/interactions/{record['id']}"

    first = await api.patch(path, {"topic": "первый"}, if_match='"1"')
    second = await api.patch(path, {"topic": "второй"}, if_match='"1"')

    assert (first.status, second.status, second.json["code"]) == (200, 412, "stale")
    assert (await api.get(path)).json["topic"] == "первый"
    for tag in ('"1"', '"9999999999"', '"x"', 'W/"7"', '"1", "2"', "٢"):
        assert (await api.patch(path, {"topic": "x"}, if_match=tag.encode("utf-8").decode("latin-1"))).status == 412
        assert (await api.ask("DELETE", path, if_match=tag.encode("utf-8").decode("latin-1"))).status == 412
    for tag in ("*", '"3"', 'W/"4"'):
        assert (await api.patch(path, {"topic": "y"}, if_match=tag)).status == 200


async def test_of_two_changes_at_once_of_one_version_one_is_made(api: Api) -> None:
    path = f"/interactions/{(await made(api))['id']}"

    answers = await asyncio.gather(*[api.patch(path, {"topic": f"{n}"}, if_match='"1"') for n in range(6)])

    assert sorted(one.status for one in answers) == [200] + [412] * 5


async def test_what_is_switched_off_can_not_be_made_and_is_not_shown(database: Database, tmp_path: Path) -> None:
    api = await make_api(database, tmp_path)
    record = await made(api)
    [mail] = await api.mails(raw_mail("1"))
    off = await make_api(
        database, tmp_path, CONFIG + "\n[features]\nother_interactions = false\nreview_flags = false\n"
    )

    refused = [await off.post("/interactions", CALL), await off.patch(f"/interactions/{mail}", {"reviewed": True})]

    assert [(one.status, one.json["code"]) for one in refused] == [(403, "feature_off")] * 2
    assert (await off.get(f"/interactions/{record['id']}")).status == 404
    assert (await off.get("/interactions?type=phone_call")).json == {"items": [], "next": None}
    assert [one["id"] for one in (await off.get("/interactions")).json["items"]] == [str(mail)]
    assert (await off.patch(f"/interactions/{mail}", {"topic": "T"})).status == 200


# Another program's own records


async def test_a_reference_creates_and_then_changes(api: Api) -> None:
    path = "/interactions/by-ref/1C%2F7%20%D0%BF"

    created = await api.ask("PUT", path, {**CALL, "participants": [IVAN]})
    changed = await api.ask("PUT", path, {**CALL, "topic": "T", "external_ref": "1C/7 п"})

    assert (created.status, changed.status) == (201, 200)
    assert (changed.json["id"], changed.json["topic"], changed.headers["etag"]) == (created.json["id"], "T", '"2"')
    assert len(changed.json["participants"]) == 1
    assert (await api.get(path)).json == changed.json
    assert (await api.get("/interactions?external_ref=1C/7%20%D0%BF")).json["items"][0]["external_ref"] == "1C/7 п"


async def test_a_reference_that_is_not_there_or_not_the_same_is_told(api: Api) -> None:
    assert (await api.get("/interactions/by-ref/7")).status == 404
    assert (await api.get("/interactions/by-ref/a%00b")).status == 422
    assert (await api.ask("PUT", "/interactions/by-ref/7", {**CALL, "external_ref": "8"})).status == 422
    assert (await api.ask("PUT", "/interactions/by-ref/" + "x" * 201, CALL)).status == 422
    assert (await api.ask("PUT", "/interactions/by-ref/", CALL)).status == 422
    await api.ask("PUT", "/interactions/by-ref/7", CALL)
    assert (await api.ask("PUT", "/interactions/by-ref/7", CALL, if_match='"2"')).status == 412
    assert (await api.post("/interactions", {**CALL, "external_ref": "7"})).json["code"] == "conflict"
    assert await count(api) == 1


async def test_two_that_put_one_reference_at_once_share_one_record(api: Api) -> None:
    answers = await asyncio.gather(*[api.ask("PUT", "/interactions/by-ref/7", CALL) for _ in range(6)])

    assert sorted(one.status for one in answers) == [200] * 5 + [201]
    assert await count(api) == 1


# Deleting


async def test_what_was_deleted_is_gone_for_good(api: Api) -> None:
    raw = raw_mail("1")
    [mail] = await api.mails(raw)
    path = f"/interactions/{mail}"

    deleted = await api.ask("DELETE", path)
    await api.mails(raw)  # the mailbox shows it again

    assert (deleted.status, deleted.body) == (204, b"")
    for answer in (await api.get(path), await api.ask("DELETE", path), await api.patch(path, {}), await api.get(f"{path}/body")):  # fmt: skip
        assert (answer.status, answer.json["code"]) == (410, "gone")
    assert (await api.get(f"{path}/raw")).status in (404, 410)
    assert (await api.get("/interactions")).json["items"] == []
    assert (await api.get(f"/interactions/{uuid4()}")).status == 404


async def test_a_deleted_reference_is_gone_too(api: Api) -> None:
    record = (await api.ask("PUT", "/interactions/by-ref/7", CALL)).json
    await api.ask("DELETE", f"/interactions/{record['id']}")

    assert (await api.get("/interactions/by-ref/7")).status == 410
    assert (await api.ask("PUT", "/interactions/by-ref/7", CALL)).json["code"] == "gone"
