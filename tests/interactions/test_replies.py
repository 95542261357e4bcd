"""New words apart from quoted ones, as people and their programs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactions.mime import parse
from interactions.replies import CHARS_MAX, LINES_MAX, new_words, without_old

SAYS = "25.11.2026 15:32, Анна Соколова пишет:"
OUTLOOK = "От: Анна Соколова\nОтправлено: среда, 25 ноября 2026 г. 15:32\nКому: Иван\nТема: Заказ\n\nПосылаю счёт."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Спасибо!", "Спасибо!"),
        (f"Спасибо!\n\n{SAYS}\n> Посылаю счёт.\n> Анна", "Спасибо!"),
        (f"{SAYS}\n> Посылаю счёт.\n\nСпасибо!", "Спасибо!"),
        (f"{SAYS}\n\n> Когда?\nЗавтра.\n\n> Где?\nУ вас.", "Завтра.\n\nУ вас."),
        (f"Спасибо!\n\n{SAYS}\n\nПосылаю счёт.\nАнна", "Спасибо!"),
        (f"Спасибо!\n\n{OUTLOOK}", "Спасибо!"),
        (f"Спасибо!\n\n________________________________\n{OUTLOOK}", "Спасибо!"),
        ("Спасибо!\n\n-------- Исходное сообщение --------\nПосылаю счёт.", "Спасибо!"),
        ("Спасибо!\n-- \nИван Петров\nООО «Ромашка»", "Спасибо!"),
        ("Thanks On Wed, 25 Nov 2026 at 3:32 PM, ann@firm.example wrote:\n> Here", "Thanks"),
        (
            "> a long line of the older mail that was too long for the program that\nquoted it, so\n> it broke\n\nYes",
            "Yes",
        ),
        ("Смотрите:\n>>> https://firm.example <<<\nДо встречи", "Смотрите:\n>>> https://firm.example <<<\nДо встречи"),
    ],
)
def test_new_words_are_what_is_not_quoted(text: str, expected: str) -> None:
    assert new_words(text) == expected


@pytest.mark.parametrize(
    "text", ["> one\n> two", f"{SAYS}\n> Посылаю счёт.", "-- \nИван", OUTLOOK, "-----Original Message-----\n\nFYI", ">"]
)
def test_a_mail_that_is_nothing_but_a_quote_is_kept(text: str) -> None:
    assert new_words(text)


def test_the_quote_of_an_html_mail_is_known_by_its_tag() -> None:
    html = f"<p>Спасибо!</p><div>{SAYS}</div><blockquote type=cite><p>Посылаю</p><blockquote>счёт</blockquote></blockquote>"

    assert new_words("", html) == "Спасибо!"


def test_words_that_were_only_indented_in_an_html_mail_are_new() -> None:
    html = '<p>Так:</p><blockquote style="margin: 0 0 0 40px; border: none; padding: 0px;">пункт</blockquote>'

    assert "пункт" in new_words("", html)


def test_a_text_without_marks_is_compared_with_the_quotes_of_its_html() -> None:
    old = "We would like to order twelve of the blue ones and six of the red ones."
    html = f"<p>Yes, of course.</p><blockquote>{old}</blockquote>"

    assert new_words(f"Yes, of course.\n\n{old}", html) == "Yes, of course."


def test_unmarked_lines_of_the_mail_that_is_answered_are_old() -> None:
    parent = (
        "Hello,\nwe would like to order twelve of the blue ones and six\nof the red ones.\nCan they be here soon?\nIvan"
    )
    text = "Hi Ivan,\nwe would like to order twelve of the\nblue ones and six of the red ones.\nOn Friday.\nAnna"

    assert new_words(text, parent=parent) == "Hi Ivan,\nOn Friday.\nAnna"


def test_a_thank_you_or_a_link_may_be_said_again() -> None:
    text = "Thank you very much!\nhttps://firm.example/a"

    assert new_words(text, parent="> Thank you very much!\n\nSee https://firm.example/a") == text


def test_answers_within_an_unmarked_quote_are_found_where_the_older_mail_is_at_hand() -> None:
    parent = "When do you need the twelve blue ones?\nWhere shall we bring them, to the old store?\nAnna"
    older = parent.replace("?\n", "?\nOn Friday, please.\n", 1)
    text = f"See below.\n\nFrom: Anna <anna@firm.example>\nSent: Wednesday, November 25, 2026 3:32 PM\n\n{older}"

    assert new_words(text, parent=parent) == "See below.\nOn Friday, please."


def test_a_way_of_quoting_that_the_library_knows_is_found_by_it() -> None:
    text = "Works for me.\n\nBest,\nAnna\n\nOn Wednesday, Ivan Petrov <ivan@firm.example> wrote:\n\nShall we meet?"

    assert "Shall we meet" not in new_words(text, is_reply=True)


@pytest.mark.parametrize("line", ["слово слово", SAYS, "> quoted", "From: a@b.example", "-- "])
def test_a_text_beyond_the_bounds_loses_no_line_that_was_not_looked_at(line: str) -> None:
    text = f"Начало\n{(line + chr(10)) * LINES_MAX * 2}{'x' * CHARS_MAX}\nКонец"

    answer = new_words(text)

    assert answer.startswith("Начало")
    assert "Конец" in answer or line == SAYS


PIECES = st.sampled_from(
    [
        "\n",
        " ",
        ">",
        "On ",
        " wrote:",
        "a",
        "--",
        "-- ",
        "From: ",
        "Sent: 25.11.2026 15:32",
        "a@b.example",
        "<",
        SAYS,
        "x\u2028",
    ]
)


@given(st.lists(PIECES, max_size=60), st.lists(PIECES, max_size=20))
def test_any_text_has_new_words_if_it_has_words(pieces: list[str], older: list[str]) -> None:
    text = "".join(pieces)

    answer = new_words(text, parent="".join(older), is_reply=True)

    assert bool(answer.strip()) == bool(text.strip())
    assert len(answer) <= len(text)


@given(st.text(max_size=400), st.text(max_size=200))
def test_no_text_raises(text: str, html: str) -> None:
    new_words(text, html, parent=html)
    new_words("", f"<blockquote>{html}</blockquote>{text}")


def test_a_mail_brings_its_new_words_where_some_are_quoted() -> None:
    head = "From: ivan@customer.example\r\nSubject: Re: Order\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"

    answer = parse(f"{head}Спасибо!\r\n\r\n{SAYS}\r\n> Посылаю счёт.\r\n".encode())
    letter = parse(f"{head}Спасибо!\r\n".encode())

    assert answer.reply_text == "Спасибо!"
    assert "Посылаю счёт." in answer.body_text
    assert (letter.reply_text, letter.body_text) == ("", "Спасибо!")


def test_new_words_lose_what_stands_in_the_older_mail_but_never_all() -> None:
    older = "Could you send us the price of twelve blue ones and of six red ones?"

    assert without_old(f"Of course.\n\n{older}", older) == "Of course."
    assert without_old(older, older) == older
    assert without_old("Of course.", older) == "Of course."
    assert without_old("", older) == ""
