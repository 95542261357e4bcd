"""The base subject: what is left of a subject when mail programs have had their say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.topics import SUBJECT_CHARS_MAX, base_subject


@pytest.mark.parametrize(
    ("subject", "base", "kind"),
    [
        ("", "", ""),
        ("Заказ", "заказ", ""),
        ("Re: Заказ", "заказ", "reply"),
        ("RE: RE: re:Заказ", "заказ", "reply"),
        ("Re[2]: Заказ", "заказ", "reply"),
        ("Re (3): Заказ", "заказ", "reply"),
        ("Re^2: Заказ", "заказ", "reply"),
        ("Re2: Заказ", "заказ", "reply"),
        ("Отв: На: Заказ", "заказ", "reply"),
        ("AW: WG: Angebot", "angebot", "reply"),
        ("WG: AW: Angebot", "angebot", "forward"),
        ("Fwd: Заказ", "заказ", "forward"),
        ("Пересл: Заказ", "заказ", "forward"),
        ("إعادة توجيه: x", "x", "forward"),
        ("回复：订单", "订单", "reply"),
        ("Re：Заказ", "заказ", "reply"),
        ("SV: VS: Bestilling", "bestilling", "reply"),
        ("Автоответ: Заказ", "заказ", "auto"),
        ("Automatic reply: Заказ", "заказ", "auto"),
        ("Undeliverable: Заказ", "заказ", "auto"),
        ("Заказ (fwd)", "заказ", ""),
        ("Заказ (fwd) (fwd)", "заказ", ""),
        ("[list] Заказ", "заказ", ""),
        ("[list] Re: [list] Заказ", "заказ", "reply"),
        ("[one] [two] Заказ", "заказ", ""),
        ("[list]", "[list]", ""),
        ("Re: [list]", "[list]", "reply"),
        ("[#123] Заказ", "[#123] заказ", ""),
        ("Re: [#123] Заказ", "[#123] заказ", "reply"),
        ("[#123] Re: Заказ", "[#123] заказ", "reply"),
        ("Re: [#123] Re: [#123] Заказ", "[#123] заказ", "reply"),
        ("[#123]", "[#123]", ""),
        ("Re:", "", "reply"),
        ("  Много \t пробелов\u00a0здесь ", "много пробелов здесь", ""),
        ("И\u0306од", "йод", ""),
        ("ＦＵＬＬ　width", "full width", ""),
    ],
)
def test_marks_tags_and_spacing_are_taken_off(subject: str, base: str, kind: str) -> None:
    assert base_subject(subject) == (base, kind)


@pytest.mark.parametrize(
    "subject",
    ["Order: 4711", "Invoice: 4711", "Regarding: x", "Reply: x", "Ref 4711", "vs. Bayern: x", "R: x", "I: x", "Re x",
     "на складе: x", "[" + "a" * 61 + "] x", "(fwd) x"],
)  # fmt: skip
def test_what_only_looks_like_a_mark_stays(subject: str) -> None:
    assert base_subject(subject) == (subject.casefold(), "")


def test_two_spellings_of_one_subject_are_equal() -> None:
    spellings = ["Счёт №33", "Re: счёт №33", "RE: [Sales] Счёт  №33", "Fwd: Отв: Сче\u0308т №33"]

    assert len({base_subject(one)[0] for one in spellings}) == 1


@given(
    st.lists(
        st.sampled_from(["Re: ", "[a] ", "[#1] ", "Fwd:", "(fwd)", "x", " ", "[", "]", "：", "Ё"]) | st.text(max_size=3)
    )
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_base_subject_has_nothing_left_to_take_off(pieces: list[str]) -> None:
    base, _ = base_subject("".join(pieces))

    assert base_subject(base)[0] == base
    assert base == base.strip()


@pytest.mark.parametrize("piece", ["re:", "[a] ", "[#1] ", "(fwd)", "[", " ", "\ufdfa"])
def test_a_long_subject_is_cut(piece: str) -> None:
    base, _ = base_subject(piece * 100_000)

    assert len(base) <= 20 * SUBJECT_CHARS_MAX
