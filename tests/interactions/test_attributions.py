"""What mail programs write before a quote, in the words of many of them."""

import pytest

from interactions.attributions import Sure, attribution, is_divider, is_header_block, is_rule, may_begin

STRONG = [
    "25.11.2026 15:32, Анна Соколова пишет:",
    "25 ноября 2026 г., в 15:32, Анна Соколова <anna@firm.example> написал(а):",
    "Среда, 25 ноября 2026, 15:32 +03:00 от Анна Соколова <anna@firm.example>:",
    "ср, 25 нояб. 2026 г. в 15:32, Анна Соколова <anna@firm.example>:",
    '25.11.2026, 15:32, "Анна Соколова" <anna@firm.example>:',
    "Вы писали 25 ноября 2026 г., 15:32:41:",
    "25.11.26 15:32, Олена Коваль пише:",
    "W dniu 25.11.2026 o 15:32, Jan Kowalski pisze napisał:",
    "ke 25. marraskuuta 2026 klo 15.32 Matti Virtanen (matti@firm.example) kirjoitti:",
    "Den 25.11.2026 15:32, skrev Ola Nordmann:",
    "On Wed, Nov 25, 2026 at 3:32 PM Ann Smith <ann@firm.example> wrote:",
    "Am 25.11.2026 um 15:32 schrieb Hans Meier:",
    "Le 25/11/2026 à 15:32, Jean Petit a écrit :",
    "2026-11-25 15:32 GMT+03:00 Ann Smith <ann@firm.example>:",
]
WEAK = ["On Monday Ann Smith wrote:", "---- Ann Smith wrote ----", "2026/11/25 Ann Smith <ann@firm.example>"]
TEXT = [
    "",
    "Добрый день!",
    "Our meeting is on 25.11.2026 at 15:32, please write to ann@firm.example.",
    "Она мне писала вчера, что заказ готов.",
    "The price is 15.32 for the following:",
    "Telephone: 8 495 632-98-16",
]


@pytest.mark.parametrize("line", STRONG)
def test_a_line_with_a_moment_and_an_author_surely_introduces_a_quote(line: str) -> None:
    assert may_begin([line, "text"]) == [True, False]
    assert attribution([line, "text"], 0) == (1, Sure.STRONG)


@pytest.mark.parametrize("line", WEAK)
def test_a_line_that_lacks_something_introduces_a_quote_perhaps(line: str) -> None:
    assert attribution([line], 0) == (1, Sure.WEAK)


@pytest.mark.parametrize("line", TEXT)
def test_what_a_person_writes_introduces_nothing(line: str) -> None:
    assert attribution([line], 0) == (0, Sure.NO)


@pytest.mark.parametrize(
    "lines",
    [
        ["On Wed, Nov 25, 2026 at 3:32 PM Ann Smith of the Firm", "<ann@firm.example> wrote:"],
        ["On Nov 25, 2026, at 3:32 PM, Ann Smith <", "ann@firm.example>", "wrote:"],
        ["25 ноября 2026 г. 15:32 пользователь Анна Соколова <", "anna@firm.example> написал:"],
        ["W dniu 25 listopada 2026 15:32 użytkownik Jan <jan@firm.example>", "napisał:"],
    ],
)
def test_an_attribution_may_be_broken_over_lines(lines: list[str]) -> None:
    assert attribution(lines, 0) == (len(lines), Sure.STRONG)


def test_text_before_an_attribution_is_no_part_of_it() -> None:
    lines = ["On the other hand we have 5 of them.", STRONG[-4]]

    assert attribution(lines, 0) == (0, Sure.NO)


@pytest.mark.parametrize(
    "block",
    [
        "From: Ann <ann@firm.example>\nSent: Wednesday, November 25, 2026 3:32 PM\nTo: Ivan\nSubject: Order",
        "От: Анна Соколова\nОтправлено: среда, 25 ноября 2026 г. 15:32\nКому: Иван\nТема: Заказ",
        "Від: Олена\nНадіслано: 25 листопада 2026 р. 15:32\nКому: Іван\nТема: Замовлення",
        "Od: Jan\nWysłano: 25 listopada 2026 15:32\nDo: Anna\nTemat: Zamówienie",
        "Lähettäjä: Matti\nLähetetty: keskiviikko 25. marraskuuta 2026 15.32\nVastaanottaja: Anna\nAihe: Tilaus",
        "Fra: Ola\nSendt: onsdag 25. november 2026 15:32\nTil: Anna\nEmne: Ordre",
        "*From:* Ann [mailto:\nann@firm.example]\n*Sent:* Wednesday, November 25, 2026 3:32 PM\n*To:* Ivan",
        "Date: Wed, 25 Nov 2026 15:32:00 +0300\nTo: ann@firm.example",
    ],
)
def test_the_headers_of_an_older_mail_are_known_in_many_languages(block: str) -> None:
    assert is_header_block(block.split("\n"), 0)


@pytest.mark.parametrize(
    "text",
    [
        "Date: Wednesday\nTime: 7:00\nAddress: Main Street 1",
        "From: Moscow\nTo: Kazan",
        "Тема: ремонт\nАдрес: Ленина, 1",
        "To: Anna\nSubject: Order",
    ],
)
def test_a_form_is_not_the_header_of_a_mail(text: str) -> None:
    assert not is_header_block(text.split("\n"), 0)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-----Original Message-----", True),
        ("‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐", True),
        ("-------- Исходное сообщение --------", True),
        ("-------- Пересылаемое сообщение --------", True),
        ("-----Ursprüngliche Nachricht-----", True),
        ("-----Alkuperäinen viesti-----", True),
        ("----- Wiadomość oryginalna -----", True),
        ("Begin forwarded message:", True),
        ("--- Enter Feedback Below ---", False),
        ("This was in the original message.", False),
        ("-----", False),
    ],
)
def test_dividers_are_known_by_their_words(line: str, expected: bool) -> None:
    assert is_divider(line) is expected


def test_a_rule_is_strokes_only() -> None:
    assert is_rule("________________")
    assert is_rule("* * *")
    assert not is_rule("--")
    assert not is_rule("--- a ---")
