"""A person is taken out of everything: planted words are found nowhere afterwards, and nothing brings them back."""

import asyncio
import io
import shutil
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from uuid import UUID

import pytest

from config.secrets_at import Secret
from connectors.base import Batch
from daemon import erasing
from daemon.erasing import Words
from daemon.intake.erased import hash_of
from interactions.records import AddressKind, Key
from storage import leases
from storage.database import Database
from storage.embedded import EmbeddedServer
from storage.migrate import migrate
from tests.fakes.api import Api, add_contact, make_api
from tests.fakes.arrivals import mail

MARK = "Zolotareva"
NUMBER = "+79161234567"
MAIL = f"""From: Olga {MARK} <olga@{MARK}.example>
To: sales@example.org
Cc: Petr <petr@other.example>
Subject: The order of {MARK}
Date: Mon, 23 Nov 2026 10:00:00 +0300
Message-ID: <1@{MARK}.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/html; charset=utf-8

<p>I am {MARK} of {MARK} street</p>
--b
Content-Type: text/plain; name="{MARK}.txt"
Content-Disposition: attachment; filename="{MARK}.txt"

passport of {MARK}
--b--
""".replace("\n", "\r\n").encode()
ALONE = f"""From: Olga {MARK} <olga@{MARK}.example>
To: sales@example.org
Subject: Alone {MARK}
Date: Mon, 23 Nov 2026 11:00:00 +0300
Message-ID: <2@{MARK}.example>

{MARK}
""".replace("\n", "\r\n").encode()
CALL = {
    "event": "newCall", "callId": "call-4711", "direction": "in", "from": "8 (916) 123-45-67", "to": "+74951234567",
    "at": "2026-11-23T09:30:00Z", "callerName": MARK,
}  # fmt: skip
END = {"event": "hangup", "callId": "call-4711", "cause": "normal", "at": "2026-11-23T09:31:00Z", "name": MARK}


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path, scopes=("read", "write", "admin"))


async def planted(api: Api) -> UUID:
    """A person with a mail to several, a mail to us alone, a call, a note of hand, and a wrong event."""
    partner = await add_contact(api, "Shop")
    person = await add_contact(
        api, f"Olga {MARK}", "contact_person", emails=[f"olga@{MARK}.example"], phones=[NUMBER],
        partner_id=str(partner), comment=f"likes {MARK}", tags=[MARK], external_ref=f"ref-{MARK}",
    )  # fmt: skip
    await api.mails(MAIL, ALONE)
    for event in (CALL, END):
        assert (await api.hook(event)).status == 200
    await api.work_off()
    note = {
        "type": "meeting", "direction": None, "topic": f"Met {MARK}", "description": MARK,
        "participants": [{"role": "attendee", "display_name": MARK, "address": NUMBER}],
    }  # fmt: skip
    assert (await api.post("/interactions", note, **{"idempotency-key": "k1"})).status == 201
    await api.patch(f"/contacts/{person}", {"comment": f"now {MARK}"})  # leaves an image that can be taken back
    await api.index()
    return person


def everything(folder: Path) -> bytes:
    """All bytes of all files below a folder, in lower case."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()).lower()


async def rows(database: Database) -> str:
    """All rows of all tables as text."""
    async with database.connection() as db:
        tables = [row["relname"] for row in await db.fetch(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")]  # fmt: skip
        texts = [str(await db.fetchval(f"SELECT string_agg(t::text, E'\\n') FROM {name} t")) for name in tables]
    return "\n".join(texts).casefold()


@pytest.mark.parametrize("mode", ["anonymise", "remove"])
async def test_of_a_person_no_word_is_left_in_any_table(api: Api, tmp_path: Path, mode: str) -> None:
    person = await planted(api)
    assert MARK.casefold() in await rows(api.serving.database)

    answer = await api.post(f"/contacts/{person}/erase", {"reason": "asked for it", "mode": mode})

    assert answer.status == 200, answer.body
    counts = answer.json["counts"]
    assert (counts["interactions"], counts["bodies"], counts["files"], counts["journal"]) == (4, 2, 2, 2)
    assert (counts["removed"] > 0) == (mode == "remove")
    left = await rows(api.serving.database)
    for word in (MARK.casefold(), "9161234567", MARK.casefold().encode().hex()):
        assert word not in left


async def test_bones_stay_others_keep_their_part_and_what_was_ours_alone_goes(api: Api) -> None:
    person = await planted(api)

    await api.post(f"/contacts/{person}/erase", {"reason": "asked for it", "mode": "remove"})

    items = (await api.get("/interactions?order=oldest")).json["items"]
    assert [one["type"] for one in items] == ["email"]
    people = [(one["display_name"], one["address"]) for one in items[0]["participants"]]
    assert people == [("", ""), ("", "sales@example.org"), ("Petr", "petr@other.example")]
    assert (items[0]["topic"], items[0]["attachments"]) == ("", [])
    again = [
        await api.get(f"/contacts/{person}"),
        await api.get(f"/contacts/{person}/dossier"),
        await api.post(f"/contacts/{person}/erase", {"reason": "asked for it"}),
    ]
    assert [answer.json["code"] for answer in again] == ["gone"] * 3


async def test_a_call_keeps_its_times_when_it_is_made_anonymous_and_a_late_event_changes_nothing(api: Api) -> None:
    person = await planted(api)
    before = (await api.get("/interactions?type=phone_call")).json["items"][0]
    await api.post(f"/contacts/{person}/erase", {"reason": "asked for it"})

    await api.hook({**END, "at": "2026-11-23T09:35:00Z", "from": NUMBER})
    await api.work_off()

    after = (await api.get("/interactions?type=phone_call")).json["items"][0]
    assert after["id"] == before["id"]
    assert (after["call"]["ended_at"], after["call"]["result"]) == (
        before["call"]["ended_at"],
        before["call"]["result"],
    )
    assert [one["address"] for one in after["participants"] if one["role"] == "subscriber"] == [""]


async def test_what_was_erased_does_not_come_back_by_sync_and_new_mail_does(api: Api, tmp_path: Path) -> None:
    person = await planted(api)
    await api.post(f"/contacts/{person}/erase", {"reason": "asked for it", "mode": "remove"})
    packs = sorted(tmp_path.rglob("*.pack"))
    older = ALONE.replace(b"<2@", b"<3@").replace(b"11:00:00", b"08:00:00")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    new = ALONE.replace(b"<2@", b"<4@").replace(b"Mon, 23 Nov 2026 11:00:00 +0300", format_datetime(tomorrow).encode())

    again = await api.mails(MAIL, ALONE, older)
    packs_then = sorted(tmp_path.rglob("*.pack"))
    async with api.serving.database.connection() as db:
        [lease] = await leases.acquire(db, "test", ["sales"], 1, 60)
        accepted = await api.serving.desk.accept(lease, Batch([replace(mail(new), received_at=tomorrow)]))

    assert packs_then == packs
    assert len(again) == 2
    assert accepted.new == 1
    assert "3@" + MARK.casefold() not in await rows(api.serving.database)


async def test_a_dry_run_counts_the_same_and_leaves_all_as_it_was(api: Api) -> None:
    person = await planted(api)
    before = await rows(api.serving.database)

    dry = await api.post(f"/contacts/{person}/erase", {"reason": "asked for it", "dry_run": True})
    after = await rows(api.serving.database)
    real = await api.post(f"/contacts/{person}/erase", {"reason": "asked for it"})

    assert after == before
    assert dry.json["counts"] == real.json["counts"]
    assert (dry.json["dry_run"], real.json["dry_run"]) == (True, False)


async def test_only_an_administrator_erases_and_reads_dossiers_and_never_a_colleague(
    api: Api, database: Database, tmp_path: Path
) -> None:
    person = await planted(api)
    member = await make_api(database, tmp_path / "other", scopes=("read", "write"))
    colleague = (await api.post("/users", {"name": "Anna", "email": "anna@example.org", "role": "member"})).json["id"]
    reason = {"reason": "x"}

    refused = [
        await member.post(f"/contacts/{person}/erase", reason),
        await member.get(f"/contacts/{person}/dossier"),
        await api.post(f"/contacts/{colleague}/erase", reason),
        await api.post(f"/contacts/{UUID(int=7)}/erase", reason),
        await api.get(f"/contacts/{UUID(int=7)}/dossier"),
        await api.post(f"/contacts/{person}/erase", {"mode": "remove"}),
        await api.post(f"/contacts/{person}/erase", {"reason": "x", "mode": "forget"}),
    ]

    codes = [answer.json["code"] for answer in refused]
    assert codes == ["forbidden", "forbidden", "conflict", "not_found", "not_found", "invalid", "invalid"]
    assert MARK.casefold() in await rows(database)


async def test_a_dossier_holds_all_that_an_erasure_would_take(api: Api) -> None:
    person = await planted(api)

    answer = await api.get(f"/contacts/{person}/dossier")

    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    mails = [name for name in found if name.startswith("mails/")]
    assert len(mails) == 2
    assert found["interactions.jsonl"].count("\n") == 4
    assert found["journal.jsonl"].count("\n") == 2
    assert "passport" in found[mails[0]] + found[mails[1]]
    for name in ("contacts.json", "addresses.json", "call_events.json", "interactions.jsonl"):
        assert MARK in found[name] or CALL["from"] in found[name], name


async def test_the_disk_holds_no_byte_of_it_after_the_clean_up(tmp_path: Path) -> None:
    server = await EmbeddedServer.start(tmp_path / "data")
    tables = tmp_path
    try:
        database = await Database.open(server.dsn, size=4)
        try:
            await migrate(database)
            api = await make_api(database, tmp_path / "data" / "packs", scopes=("read", "write", "admin"))
            person = await planted(api)
            async with database.connection() as db:
                await db.execute("ANALYZE")
                await db.execute("CHECKPOINT")
                tables = Path(await db.fetchval("SHOW data_directory"))
            settings = api.serving.settings.model_copy(update={"data_dir": tmp_path / "data"})
            assert MARK.lower().encode() in await asyncio.to_thread(everything, tmp_path / "data")
            assert MARK.lower().encode() in await asyncio.to_thread(everything, tables)

            await api.post(f"/contacts/{person}/erase", {"reason": "asked for it", "mode": "remove"})
            left = await erasing.finish(database, settings, api.serving.blobs)
            again = await erasing.finish(database, settings, api.serving.blobs)

            held = await asyncio.to_thread(everything, tmp_path / "data") + await asyncio.to_thread(everything, tables)
            assert (left, again) == ([], [])
            assert MARK.lower().encode() not in held
            assert b"9161234567" not in held
            ledger = (tmp_path / "data" / erasing.LEDGER).read_text()
            assert ledger.count("\n") == 1
            assert str(person) in ledger
        finally:
            await database.close()
    finally:
        await server.stop()
        shutil.rmtree(
            tables.parent if tables != tmp_path else tables, ignore_errors=True
        )  # run by root it lies elsewhere


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from=8%20(916)%20123-45-67", False),  # it is given unquoted
        ("from=8 (916) 123-45-67", True),
        ('{"tel": "79161234567"}', True),
        ('{"tel": "+7 916 123.45.67"}', True),
        ("id=call-4711&x=1", True),
        ("OLGA@Shop.example", True),
        ("79161234568 olga@shop.example.org.x", True),
        ("a number 9161234560", False),
        ("to=volga@shop.example", False),  # somebody else
        ("to=v.olga@shop.example", False),
        (r"text: hello\nolga@shop.example", True),
        ("<olga@shop.example>", True),
        ("id=recall-4711", False),
        ("id=call-47110", False),
        ("file=/records/rec_call-4711.mp3", True),
        ("", False),
    ],
)
def test_a_person_is_known_in_any_spelling(text: str, expected: bool) -> None:
    words = Words(frozenset({"olga@shop.example"}), frozenset({"9161234567"}), frozenset({"call-4711"}))

    assert words.stand_in(text) is expected


async def test_hashes_depend_on_their_keys_and_one_stays_when_the_secret_is_changed(api: Api, tmp_path: Path) -> None:
    settings = api.serving.settings.model_copy(update={"data_dir": tmp_path / "d"})
    secret = settings.login.model_copy(update={"secret_key": Secret("changed")})
    without = settings.model_copy(update={"login": settings.login.model_copy(update={"secret_key": None})})

    own, again = erasing.hash_keys(without), erasing.hash_keys(without)
    (tmp_path / "d" / erasing.KEY_FILE).chmod(0o400)
    changed = erasing.hash_keys(settings.model_copy(update={"login": secret}))

    assert own == again
    assert changed == (b"changed", *own)
    assert len({hash_of(key, Key(AddressKind.EMAIL, "a@x.example")) for key in changed}) == 2


async def test_an_erased_person_stays_out_though_the_secret_is_another_one_now(api: Api, tmp_path: Path) -> None:
    person = await planted(api)
    await api.post(f"/contacts/{person}/erase", {"reason": "asked for it"})
    api.serving.desk.settings = replace(
        api.serving.desk.settings, erasure_keys=erasing.known_keys(api.serving.settings)[-1:]
    )

    await api.mails(ALONE.replace(b"<2@", b"<3@").replace(b"11:00:00", b"08:00:00"))

    assert "3@" + MARK.casefold() not in await rows(api.serving.database)
