"""Lines of a list and texts, as they are shown."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.web import labels
from daemon.web.rows import duration, folded, linked, newer_than, row_of, split_quote
from interactions.records import Attachment
from interactions.views import ContactView, InteractionView, Named, ParticipantView

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def person(role: str, name: str = "", address: str = "", **fields: object) -> ParticipantView:
    values: dict[str, object] = {
        "role": role, "display_name": name, "address": address, "address_kind": "email", "key": address or None,
        "own": False, "contact": None, "rule": "none", "origin": "automatic", "confidence": "none", **fields,
    }  # fmt: skip
    return ParticipantView(**values)  # type: ignore[arg-type]


def view(*people: ParticipantView, **fields: object) -> InteractionView:
    values: dict[str, object] = {
        "id": uuid4(), "number": 1, "kind": "email", "direction": "incoming", "occurred_at": AT, "created_at": AT,
        "updated_at": AT, "version": 1, "topic": "Счёт", "description": "", "comment": None, "excerpt": "",
        "importance": "normal", "external_ref": None, "external_id": None, "source": None, "source_type": None,
        "author": None, "responsible": None, "reviewed": False, "reviewed_at": None, "reviewed_by": None,
        "review_after": None, "tags": (), "extra": {}, "block": {}, "chain_id": uuid4(), "root_id": uuid4(),
        "chain_size": 1, "root_topic": "", "link_rule": "root", "link_origin": "automatic", "link_flags": (),
        "subject": None, "has_attachments": False, "participants": people, **fields,
    }  # fmt: skip
    return InteractionView(**values)  # type: ignore[arg-type]


SHOP = ContactView(uuid4(), "contact_person", "Иван Петров", Named(uuid4(), "Ромашка"))
ANNA = ContactView(uuid4(), "user", "Анна Соколова")


def test_a_linked_party_is_named_by_its_contact_with_its_partner() -> None:
    row = row_of(view(person("from", "ivan", "ivan@shop.example", contact=SHOP)), flags=True)

    assert (row.party, row.contact_id, row.partner, row.more, row.is_bold) == (SHOP.name, SHOP.id, "Ромашка", 0, True)


@pytest.mark.parametrize(("name", "shown"), [("Пётр", "Пётр"), ("  ", "p@x.example")])
def test_a_party_that_is_nobody_yet_is_named_as_it_called_itself(name: str, shown: str) -> None:
    row = row_of(view(person("from", name, "p@x.example", candidates=(uuid4(),))), flags=True)

    assert (row.party, row.contact_id, row.is_ambiguous) == (shown, None, True)


def test_a_number_that_is_nobody_is_named_in_its_one_spelling() -> None:
    caller = person("subscriber", "", "8 (495) 632-98-16", address_kind="phone", key="+74956329816")

    assert row_of(view(caller), flags=True).party == "+74956329816"


def test_the_others_are_counted_without_us_and_without_the_same_one_twice() -> None:
    people = [
        person("from", "", "p@x.example"), person("to", "", "sales@our.example", own=True),
        person("cc", "", "q@x.example"), person("cc", "Q", "q@x.example"), person("reply_to", "", "r@x.example"),
    ]  # fmt: skip

    assert row_of(view(*people), flags=True).more == 1


def test_who_spoke_is_one_of_us_for_what_went_out() -> None:
    sent = view(person("from", "", "a@our.example", contact=ANNA), person("to", contact=SHOP), direction="outgoing")
    came = view(person("from", contact=SHOP), person("to", "", "a@our.example", contact=ANNA))

    assert (row_of(sent, flags=True).speaker, row_of(sent, flags=True).party) == (ANNA.name, SHOP.name)
    assert row_of(came, flags=True).speaker == SHOP.name


def test_nothing_is_bold_without_the_option() -> None:
    assert not row_of(view(), flags=False).is_bold
    assert not row_of(view(reviewed=True), flags=True).is_bold


@pytest.mark.parametrize(
    ("kind", "direction", "result", "title"),
    [
        ("phone_call", "incoming", "missed", labels.MISSED), ("phone_call", "incoming", "answered", "Incoming call"),
        ("phone_call", "outgoing", "no_answer", "Outgoing call"), ("meeting", None, None, "Meeting"),
        ("sms", "internal", None, "Internal SMS"),
    ],
)  # fmt: skip
def test_an_interaction_has_a_title_by_its_type_and_direction(
    kind: str, direction: str | None, result: str | None, title: str
) -> None:
    assert row_of(view(kind=kind, direction=direction, block={"result": result}), flags=True).title == title


def test_inline_pictures_are_no_files() -> None:
    files = (Attachment(1, "a.pdf", "application/pdf", 1), Attachment(2, "logo", "image/png", 1, inline=True))

    assert row_of(view(attachments=files), flags=True).files == 1


def test_an_sms_does_not_say_its_first_words_twice() -> None:
    row = row_of(view(kind="sms", topic="Машина будет в", excerpt="Машина будет в среду"), flags=True)

    assert row.excerpt == "среду"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (63, "1:03"), (3600, "1:00:00"), (7.6, "0:08"), (None, ""), ("7", ""), (-1, ""), (True, "")],
)
def test_lengths_read_as_on_a_clock(seconds: object, shown: str) -> None:
    assert duration(seconds) == shown


def test_web_addresses_become_links_and_the_rest_is_escaped() -> None:
    shown = str(linked('<b>https://x.example/a?b="c" (see http://y.example/).'))

    assert shown.startswith('&lt;b&gt;<a href="https://x.example/a?b=" target="_blank" rel="noopener')
    assert '<a href="http://y.example/" target' in shown
    assert shown.endswith("</a>).")


@given(st.text(alphabet="htps:/<>\"'&. ax\n\x00»)", max_size=200))
def test_no_text_gets_markup_of_its_own_through(text: str) -> None:
    shown = str(linked("http://" + text))

    inside = shown.replace(' target="_blank" rel="noopener noreferrer nofollow"', "").replace("</a>", "")
    assert inside.count("<") == inside.count('<a href="http')
    assert "'" not in inside


@pytest.mark.parametrize(
    ("text", "new", "quoted"),
    [
        ("Да.\n\n21 ноября Иван писал:\n> Берёте?\n>\n> Жду", "Да.", "21 ноября Иван писал:\n> Берёте?\n>\n> Жду"),
        ("Да.\n> Берёте?\nБерём.", "Да.\n> Берёте?\nБерём.", ""),
        ("> всё чужое", "> всё чужое", ""),
        ("Да.\n\n\n", "Да.", ""),
        ("", "", ""),
    ],
)
def test_the_quotation_a_text_ends_with_is_folded(text: str, new: str, quoted: str) -> None:
    shown, rest = split_quote(text)

    assert (shown.rstrip(), rest) == (new, quoted)


def test_the_reply_is_shown_before_the_rest_of_the_text() -> None:
    assert folded(view(body_text="Да.\n> нет", reply_text="Да.")) == ("Да.", "> нет")
    assert folded(view(body_text="Письмо", reply_text="Письмо")) == ("Письмо", "")
    assert folded(view()) == ("", "")


def test_new_lines_are_those_above_the_one_that_was_on_top() -> None:
    rows = [row_of(view(), flags=True) for _ in range(3)]

    assert newer_than(rows, str(rows[2].one.id)) == 2
    assert newer_than(rows, str(UUID(int=1))) == 0
