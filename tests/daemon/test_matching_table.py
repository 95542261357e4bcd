"""A labelled table of addresses as they occur, and whom each leads to: no wrong link at all, and hardly one missed."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

from daemon import contacts as acts
from daemon import matching, merging
from daemon.contacts import Fields, Spelling
from daemon.intake.manual import key_of
from interactions.contactfiles import Written
from interactions.contacts import ContactKind, Employment
from interactions.phones import phone_key
from interactions.records import Key
from interactions.variants import Local
from storage import addresses
from storage.database import Connection, Database

CASES = Path(__file__).parents[1] / "data/matching/cases.tsv"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RU = Spelling("RU")
MOSCOW = Local("RU", "495", frozenset({"town.example"}))
PARTNER, PERSON, INDIVIDUAL, USER = ContactKind
ABROAD = {
    "Берлин": "+4930901820", "Лондон": "+442079460018", "Париж": "+33142685300", "Вашингтон": "+12024561111",
    "Алматы": "+77272580000", "Минск": "+375172000000", "Киев": "+380442790000", "Ташкент": "+998712000000",
    "Ереван": "+37410500000", "Тбилиси": "+995322000000", "Стамбул": "+902125140000", "Пекин": "+861065529988",
    "Варшава": "+48226940000", "Хельсинки": "+358917340000", "Амстердам": "+31205500000", "Рим": "+390669812345",
    "Мадрид": "+34915000000", "Прага": "+420224000000", "Баку": "+994124900000", "Бишкек": "+996312600000",
}  # fmt: skip
LINKS = {"email_exact": "", "phone_exact": "", "partner_of_all": "", "email_variant": "~", "phone_variant": "~",
         "domain": "?", "own": "=", "remembered": "!"}  # fmt: skip


class World:
    """The contacts that the table speaks of."""

    def __init__(self, db: Connection) -> None:
        self.db = db

    async def add(
        self, kind: ContactKind, name: str, *has: str, serves: Iterable[Employment] = (), domains: Sequence[str] = ()
    ) -> UUID:
        emails = [Written(one) for one in has if "@" in one]
        fields = Fields(kind=kind, name=name, emails=emails, phones=[Written(one) for one in has if "@" not in one])
        if domains:
            fields["domains"] = domains
        if serves:
            fields["partners"] = list(serves)
        return (await acts.add(self.db, fields, RU, NOW)).id

    async def fill(self) -> None:
        await addresses.mark_own(self.db, [ours("sales@example.org"), ours("+7 495 123-45-67")], NOW.date(), MOSCOW)
        await self.add(PARTNER, "Магазин", "+7 495 632-98-16", "info@shop.example", domains=["shop.example"])
        await self.add(PARTNER, "Городские", domains=["town.example", "mail.ru", "example.org"])
        for name, number in ABROAD.items():
            await self.add(PARTNER, name, number)
        firms = [Employment(await self.add(PARTNER, f"Фирма {n}", "+7 916 123-45-01")) for n in range(4)]
        for name in ("Муж", "Жена"):
            await self.add(INDIVIDUAL, name, "family@mail.ru")
        await self.add(PERSON, "Ольга", "olga@buh.example", "+7 903 123-45-67", serves=firms)
        works = Employment(await self.add(PARTNER, "Завод"))
        for name in ("Пётр", "Павел"):
            await self.add(PERSON, name, "+7 812 325-10-00", serves=[works])
        old = await self.add(PARTNER, "Старый", domains=["old.example"])
        moved = Employment(await self.add(PARTNER, "Новый"), date(2026, 6, 1))
        await self.add(PERSON, "Сергей", "sergey@new.example", serves=[Employment(old, None, moved.since), moved])
        await self.add(INDIVIDUAL, "Джон", "john.doe@gmail.com")
        await self.add(INDIVIDUAL, "Яна", "yana-k@yandex.ru")
        await self.add(PARTNER, "Почта", "info@почта.рф")
        await self.add(USER, "Анна", "anna@example.org")
        await self.add(INDIVIDUAL, "Пост", "101")
        await self.add(PARTNER, "Банк", "900")
        await self.add(PARTNER, "Горячая линия", "8 800 555-35-35")
        own = Employment(await self.add(PARTNER, "Свой", "+7 499 111-22-33"))
        await self.add(PERSON, "Иван", "+7 499 111-22-33", serves=[own])
        await self.add(PERSON, "Чужой", "shared@corp.example", serves=[own])
        await self.add(PARTNER, "Корпорация", "shared@corp.example")
        await self.decide()

    async def decide(self) -> None:
        chosen = await self.add(INDIVIDUAL, "Выбор")
        for name in ("Первый", "Второй"):
            await self.add(INDIVIDUAL, name, "vip@remember.example", "+7 985 765-43-21", "spam@remember.example")
        some = [ours(one) for one in ("vip@remember.example", "+7 985 765-43-21", "spam@remember.example")]
        known = await addresses.claim(self.db, some)
        whom = dict(zip((known[one].id for one in some), (chosen, chosen, None), strict=True))
        await matching.resolve(self.db, whom, None, NOW)
        gone = await self.add(INDIVIDUAL, "Ушедший", "gone@deleted.example")
        await acts.delete(self.db, gone, NOW)
        twin = await self.add(INDIVIDUAL, "Двойник", "twin@merged.example")
        await merging.merge(self.db, twin, await self.add(INDIVIDUAL, "Слитый", "main@merged.example"), None, NOW)


def ours(text: str) -> Key:
    """The key of an address that has one."""
    found = read(text)
    assert found is not None
    return found


def read(text: str) -> Key | None:
    """What the intake makes of an address: a mail's, or a telephone company's."""
    return phone_key(text, "RU") if text.startswith(("sip:", "tel:")) else key_of(text, "RU")


async def told(db: Connection, text: str) -> str:
    """Whom an address leads to, as the table writes it."""
    key = read(text)
    if key is None:
        return "-"
    await addresses.claim(db, [key])
    row = await db.fetchrow(
        "SELECT c.name, a.rule, ARRAY(SELECT name FROM contact WHERE id = ANY(a.candidates)) AS others FROM address a "
        "LEFT JOIN contact c ON c.id = a.contact_id WHERE a.kind = $1 AND a.value = $2",
        key.kind.value, key.value,
    )  # fmt: skip
    names = row["others"] if row["rule"] == "domain" else [row["name"]] if row["name"] else []
    return LINKS[row["rule"]] + "/".join(names) if names else "-"


async def test_every_address_leads_to_whom_it_should_and_none_to_anybody_else(database: Database) -> None:
    rows = [line.split("\t") for line in CASES.read_text("utf-8").splitlines() if not line.startswith("#")]
    wrong, missed, kinds = [], [], Counter[str]()
    async with database.connection() as db:
        async with db.transaction():
            await World(db).fill()
        for expected, text, why in rows:
            found = await told(db, text)
            kinds["refused" if expected == "-" else "led"] += 1
            if found != expected:
                (missed if found == "-" else wrong).append((expected, found, text, why))

    assert wrong == []
    assert missed == []
    assert kinds.total() > 300
    told_of = (CASES.parents[3] / "docs/matching.md").read_text("utf-8")
    assert f"nobody | {kinds['refused']} | {kinds['refused']} |" in told_of
    assert f"suggest somebody | {kinds['led']} | {kinds['led']} |" in told_of
