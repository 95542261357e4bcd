"""Cards of telephones and mail programs become rows; one that is broken costs only itself."""

import contextlib
from uuid import UUID

import pytest

from interactions.contactfiles import ContactFile, ContactRow, UnreadableFile, Written
from interactions.contactlists import read_list
from interactions.contacts import Contact, ContactKind, Coordinate
from interactions.records import AddressKind, Key
from interactions.vcards import PROPERTIES_MAX, is_vcard, read_cards, written


def card(*lines: str, version: str = "3.0") -> str:
    return "\r\n".join(("BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""))


def one(*lines: str, version: str = "3.0") -> ContactRow:
    found = read_cards(card(*lines, version=version).encode())
    assert found.refused == ()
    return found.rows[0]


def refused(found: ContactFile) -> list[int]:
    return [row.line for row in found.refused]


def test_a_card_becomes_a_person_of_its_company() -> None:
    found = one(
        "UID:urn:uuid:1", "N:Петров;Иван;Сергеевич;;", "FN:Иван Петров", "ORG:Магазин \\\"Техника\\\";Склад",
        "TEL;TYPE=CELL,VOICE:8 (916) 123-45-67", 'TEL;VALUE=uri;TYPE="work,voice":tel:+7-495-632-98-16;ext=12',
        "item1.EMAIL;TYPE=INTERNET:ivan@shop.example", "item1.X-ABLABEL:_$!<Other>!$_", "EMAIL:mailto:i@home.example",
        "CATEGORIES:vip,опт\\, крупный", "NOTE:Звонить\\nдо 18",
    )  # fmt: skip

    assert found == ContactRow(
        1, "Иван Петров", None,
        (Written("ivan@shop.example", "Other"), Written("i@home.example")),
        (Written("8 (916) 123-45-67", "mobile"), Written("+7-495-632-98-16 доб. 12", "work")),
        partner='Магазин "Техника"', external_ref="urn:uuid:1", tags=("vip", "опт, крупный"), comment="Звонить\nдо 18",
    )  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        ("FN:Ромашка", "ORG:Ромашка"),
        ("N:;;;;", "ORG:Ромашка"),
        ("KIND:org", "FN:Ромашка"),
        ("X-ABShowAs:COMPANY", "FN:Ромашка", "ORG:Ромашка;Склад"),
    ],
)
def test_the_card_of_a_company_is_a_partner(lines: tuple[str, ...]) -> None:
    found = one(*lines)

    assert (found.name, found.kind, found.partner) == ("Ромашка", ContactKind.PARTNER, "")


def test_long_lines_and_the_old_version_are_read() -> None:
    folded = one("FN:Иван", " Петров", "PHOTO;ENCODING=b:" + "A" * 20_000, " " + "A" * 20_000)
    old = one(
        "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0=9F=D0=B5=D1=82=D1=80=",
        "=D0=BE=D0=B2;=D0=98=D0=B2=D0=B0=D0=BD", "TEL;CELL:+79161234567", version="2.1",
    )  # fmt: skip

    assert folded.name == "ИванПетров"
    assert (old.name, old.phones) == ("Петров Иван", (Written("+79161234567", "mobile"),))


def test_a_broken_card_costs_only_itself() -> None:
    text = (
        card("FN:Иван")
        + card("TEL:1")
        + "BEGIN:VCARD\nFN:Без конца\n"
        + card("FN:Внутри")
        + card("FN:" + "x" * 20_000)
        + card("FN:Много", *["X-A:b"] * PROPERTIES_MAX)
        + card("FN:Мария")
        + "BEGIN:VCARD\nFN:Конец"
    )

    found = read_list(text.encode())

    assert [row.name for row in found.rows] == ["Иван", "Мария"]
    assert len(found.refused) == 5
    assert refused(found) == sorted(refused(found))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
def test_the_encoding_is_seen(encoding: str) -> None:
    data = card("FN:Иван").encode(encoding)

    assert is_vcard(data)
    assert [row.name for row in read_list(data).rows] == ["Иван"]


@pytest.mark.parametrize("data", [b"", b"name;phone\nIvan;1\n", b"BEGIN", b"\xff\xfe"])
def test_what_is_no_card_is_read_as_a_table(data: bytes) -> None:
    assert not is_vcard(data)
    with contextlib.suppress(UnreadableFile):
        assert [row.name for row in read_list(data).rows] == ["Ivan"]


@pytest.mark.parametrize(
    "line",
    [
        "",
        ":",
        ";;;:",
        '";:',
        "TEL;" + '"' * 500,
        "=",
        "TEL:" + ";" * 500,
        ".:x",
        "N:\\",
        "FN;CHARSET=none;ENCODING=QUOTED-PRINTABLE:=D",
    ],
)
def test_no_line_stops_the_reading(line: str) -> None:
    assert len(read_cards(card("FN:Иван", line).encode()).rows) == 1


def test_a_file_that_is_too_large_is_refused_as_a_whole() -> None:
    with pytest.raises(UnreadableFile):
        read_list(b"BEGIN:VCARD\n" + b"A" * 33_000_000)


def test_a_card_that_was_written_is_read_as_it_was() -> None:
    number = Coordinate(Key(AddressKind.PHONE, "+79161234567"), "8 (916) 123-45-67", "mobile")
    direct = Coordinate(Key(AddressKind.PHONE, "+74956329816"), "(495) 632-98-16", "склад; ночью")
    email = Coordinate(Key(AddressKind.EMAIL, "ivan@x.example"), "ivan@x.example")
    note = "Звонить\nдо 18, лучше; " + "очень " * 50
    person = Contact(
        UUID(int=1), ContactKind.CONTACT_PERSON, "Иван, Петров \\ мл.", (email, number, direct),
        external_ref="c-1", tags=("vip", "опт, крупный"), comment=note,
    )  # fmt: skip
    partner = Contact(UUID(int=2), ContactKind.PARTNER, "Магазин; Склад")

    text = written(person, "Магазин; Склад") + written(partner)

    found = read_cards(text.encode())
    assert found.rows[0] == ContactRow(
        1, person.name, None, (Written("ivan@x.example"),),
        (Written(number.raw, "mobile"), Written(direct.raw, direct.label)),
        partner="Магазин; Склад", external_ref="c-1", tags=person.tags, comment=note.strip(),
    )  # fmt: skip
    assert (found.rows[1].name, found.rows[1].kind, found.rows[1].partner) == (partner.name, ContactKind.PARTNER, "")
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75
