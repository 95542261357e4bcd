"""Who wrote a mail that was sent on, as programs in several languages say it; and that it is never the sender."""

from email.message import EmailMessage

import pytest

from interactions.forwards import Forwarded, forwarded_in
from interactions.mime import parse

IVAN = Forwarded("ivan@vasilek.example", "Иван Петров")


def within(divider: str, *labels: str, words: str = "Добрый день, прошу счёт.") -> str:
    values = ("Иван Петров <ivan@vasilek.example>", "25.11.2026 15:32", "Заказ 17", "sales@example.org")
    block = "\n".join(f"{label}: {value}" for label, value in zip(labels, values, strict=False))
    return f"Посмотрите, пожалуйста.\n\n{divider}\n{block}\n\n{words}\n"


@pytest.mark.parametrize(
    ("divider", "labels"),
    [
        ("---------- Forwarded message ---------", ("From", "Date", "Subject", "To")),
        ("-------- Forwarded Message --------", ("From", "Date", "Subject", "To")),
        ("Begin forwarded message:\n", ("From", "Date", "Subject", "To")),
        ("-------- Пересылаемое сообщение --------", ("От кого", "Дата", "Тема", "Кому")),
        ("-------------------- Пересылаемое сообщение --------------------", ("От", "Дата", "Тема", "Кому")),
        ("---------- Пересланное сообщение ---------", ("От", "Дата", "Тема", "Кому")),
        ("-------- Перенаправленное сообщение --------", ("От", "Дата", "Тема", "Кому")),
        ("-------- Переслане повідомлення --------", ("Від", "Дата", "Тема", "Кому")),
        ("-------- Weitergeleitete Nachricht --------", ("Von", "Datum", "Betreff", "An")),
        ("-------- Message transféré --------", ("De", "Date", "Sujet", "Pour")),
        ("-------- Mensaje reenviado --------", ("De", "Fecha", "Asunto", "Para")),
        ("-------- Treść przekazanej wiadomości --------", ("Od", "Data", "Temat", "Do")),
        ("---------- Wiadomość przekazana dalej ---------", ("Od", "Date", "Subject", "Do")),
    ],
)
def test_a_divider_that_speaks_of_sending_on_is_enough(divider: str, labels: tuple[str, ...]) -> None:
    found = forwarded_in(within(divider, *labels), is_forward=divider.startswith("Begin"))

    assert found == Forwarded(IVAN.address, IVAN.display_name, "25.11.2026 15:32", "Заказ 17")


@pytest.mark.parametrize(
    ("opening", "labels"),
    [
        ("Anfang der weitergeleiteten Nachricht:\n", ("Von", "Datum", "Betreff", "An")),
        ("Début du message transféré :\n", ("De", "Date", "Objet", "À")),
        ("Inicio del mensaje reenviado:\n", ("De", "Fecha", "Asunto", "Para")),
        ("Początek przekazanej wiadomości:\n", ("Od", "Data", "Temat", "Do")),
        ("Начало переадресованного сообщения:\n", ("От", "Дата", "Тема", "Кому")),
        ("-----Original Message-----", ("From", "Sent", "Subject", "To")),
        ("-----Исходное сообщение-----", ("От", "Отправлено", "Тема", "Кому")),
        ("________________________________", ("Von", "Gesendet", "Betreff", "An")),
        ("", ("От", "Отправлено", "Тема", "Кому")),
        ("", ("De", "Envoyé", "Objet", "À")),
        ("", ("De", "Enviado el", "Asunto", "Para")),
        ("", ("Від", "Надіслано", "Тема", "Кому")),
    ],
)
def test_other_marks_count_where_the_topic_says_that_it_is_sent_on(opening: str, labels: tuple[str, ...]) -> None:
    text = within(opening, *labels)

    assert forwarded_in(text, is_forward=True) == Forwarded(
        IVAN.address, IVAN.display_name, "25.11.2026 15:32", "Заказ 17"
    )
    assert forwarded_in(text, is_forward=False) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('25.11.2026, 15:32, "Иван Петров" <ivan@vasilek.example>:', Forwarded(IVAN.address, IVAN.display_name, "25.11.2026, 15:32")),
        ("From: ivan@vasilek.example", Forwarded(IVAN.address)),
        ("From: Иван Петров", Forwarded("", IVAN.display_name)),
        ("From: Иван Петров [mailto:ivan@vasilek.example]", IVAN),
        ('From: "Иван Петров" <ivan@vasilek.example>', IVAN),
        ("*From:* Иван Петров <ivan@vasilek.example>", IVAN),
        ("> From: Иван Петров <ivan@vasilek.example>", IVAN),
        ("From: ivan@vasilek.example <ivan@vasilek.example>", Forwarded(IVAN.address)),
        ("Подписано: никто", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_one_who_wrote_it_is_read_in_many_spellings(line: str, expected: Forwarded | None) -> None:
    assert forwarded_in(f"-------- Пересылаемое сообщение --------\n{line}\n\nТекст", is_forward=False) == expected


def test_of_mails_sent_on_twice_the_outer_one_is_meant() -> None:
    inner = within("---------- Forwarded message ---------", "From", words="x").replace("ivan@", "boss@")

    found = forwarded_in(within("---------- Forwarded message ---------", "From", words=inner), is_forward=True)

    assert found == IVAN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Здравствуйте!",
        "-- \nИван",
        "--\nFrom: x",
        "See the -- forward -- plan\nFrom: a@b.example",
        "- " * 5000,
        "--\n" * 5000,
    ],
)
def test_what_sends_nothing_on_says_so(text: str) -> None:
    assert forwarded_in(text, is_forward=False) is None


def attached(subject: str, words: str) -> bytes:
    inner = EmailMessage()
    inner["From"], inner["Date"], inner["Subject"] = (
        "Иван Петров <ivan@vasilek.example>",
        "Wed, 25 Nov 2026 15:32:00 +0300",
        "Заказ 17",
    )
    inner.set_content("Прошу счёт.")
    outer = EmailMessage()
    outer["From"], outer["To"], outer["Subject"] = "anna@example.org", "sales@example.org", subject
    outer.set_content(words)
    outer.add_attachment(inner)
    return outer.as_bytes()


@pytest.mark.parametrize(
    ("subject", "words", "is_found"), [("Fwd: Заказ", "см.", True), ("Заказ", "", True), ("Заказ", "см.", False)]
)
def test_an_attached_mail_is_the_one_that_is_sent_on(subject: str, words: str, is_found: bool) -> None:
    mail = parse(attached(subject, words))

    expected = Forwarded(IVAN.address, IVAN.display_name, "Wed, 25 Nov 2026 15:32:00 +0300", "Заказ 17")
    assert mail.forwarded == (expected if is_found else None)
    assert [one.address for one in mail.from_] == ["anna@example.org"]


def test_a_reply_is_not_a_mail_sent_on() -> None:
    text = "Да.\n\n-----Original Message-----\nFrom: Иван Петров <ivan@vasilek.example>\nSent: 25.11.2026 15:32\n\nТак?"

    assert forwarded_in(text, is_forward=False) is None
