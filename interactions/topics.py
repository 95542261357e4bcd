"""The base subject of a mail: what is left when reply and forward marks, list tags and spacing are taken off.

RFC 5256 §2.1 knows Re, Fw and Fwd only; mail programs write dozens of others. Marks and `[tags]` are stripped by turns
until nothing changes; a ticket mark such as `[#123]` stays in front.

Single letters (Italian `R:` and `I:`, a Norwegian `F:`) are words too, so `guess_topic` alone takes them off: a guess asks for
people in common beside the topic. It also says how long a topic is worth guessing by: not at all where hundreds of mails
have it, a week where it is short, else a month and a half.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

SUBJECT_CHARS_MAX = 1000
_REPLY = (
    "re res ref aw antw antwort sv vs rif odp ynt atb bls vá απ σχετ השב رد 回复 回覆 答复 "
    "返信 회신 отв ответ на відп adj"
)
_FORWARD = "fw fwd wg tr trs rv enc fs vl vb doorst pd ilt πρθ továbbítás הועבר 转发 轉寄 пересл пер переадр"
_FORWARD_PHRASES = ("إعادة توجيه",)
_AUTO = (
    "automatic reply", "out of office", "автоответ", "abwesenheitsnotiz", "automatische antwort",
    "réponse automatique", "undeliverable", "autoreply", "auto",
)  # fmt: skip


def _marks(words: str) -> str:
    return _any(words.split())


def _any(phrases: Iterable[str]) -> str:
    return "|".join(map(re.escape, phrases))


_MARK = re.compile(
    rf"(?:(?P<reply>{_marks(_REPLY)})|(?P<forward>{_marks(_FORWARD)}|{_any(_FORWARD_PHRASES)})|(?P<auto>{_any(_AUTO)}))"
    r"\s*(?:\[\d{1,3}\]|\(\d{1,3}\)|\^?\d{1,3})?\s*:\s*"
)
_LETTER = re.compile(r"(?:(?P<reply>r)|(?P<forward>[if]))\s*(?:\[\d{1,3}\]|\(\d{1,3}\)|\^?\d{1,3})?\s*:\s*")
_DIGEST = re.compile(r"\bdigest\b.{0,80}(?:\bvol\b|\bissue\b|\b\d+\b)|(?:дайджест|сводка)\b.{0,80}\d")
_UNSAYING = re.compile(
    r"(?:[\W_]|(?<!\d)(?:(?:19|20)\d\d|\d{1,2})(?!\d))+"
)  # signs, small numbers, years: no number of an order
LETTERS_MIN, LETTERS_LONG = 4, 12
GUESS_DAYS, GUESS_DAYS_SHORT = 45, 7
# Topics under which everybody writes: equal ones say nothing. Signs and small numbers are left out before comparing.
_GENERIC = frozenset(
    " ".join(one.split())
    for one in """hello|hi|hey|hi there|good day|good morning|question|questions|a question|help|info|information|test|test mail|testing
    |thanks|thank you|many thanks|no subject|none|untitled|news|newsletter|update|updates|urgent|important|attention|reminder
    |meeting|call|invoice|invoices|your invoice|order|your order|new order|order confirmation|payment|document|documents
    |docs|file|files|scan|scans|photo|photos|image|images|fax|report|monthly report|weekly report|daily report|request
    |feedback|contact|contact form|contact us|new message|message|message from website|notification|alert|support
    |support request|offer|quote|price|prices|price list|job|resume|cv|application|confirmation|delivery|delivery status
    |registration|password|password reset|statement|account|access|account statement|receipt|your receipt
    |привет|здравствуйте|добрый день|доброе утро|добрый вечер|вопрос|вопросы|помощь|помогите|информация|тест|проверка
    |спасибо|без темы|нет темы|новости|рассылка|обновление|срочно|важно|внимание|напоминание|встреча|звонок|счет|счёт|счета
    |счет на оплату|счёт на оплату|заказ|ваш заказ|новый заказ|оплата|платеж|платёж|документ|документы|файл|файлы|скан|сканы
    |фото|отчет|отчёт|запрос|заявка|новая заявка|заявка с сайта|сообщение|сообщение с сайта|новое сообщение|письмо
    |обратная связь|уведомление|поддержка|предложение|коммерческое предложение|прайс|прайс лист|цены|резюме|вакансия
    |подтверждение|доставка|регистрация|пароль|выписка|доступ|акт|акт сверки|договор|накладная|реквизиты|чек
    |anfrage|frage|hallo|rechnung|bestellung|angebot|danke|termin|information|ohne betreff|kein betreff
    |pytanie|zapytanie|oferta|faktura|zamówienie|dziękuję|brak tematu|dzień dobry|witam|cześć
    |bonjour|facture|commande|devis|merci|sans objet|hola|factura|pedido|gracias|sin asunto""".split("|")
)
_TICKET = re.compile(r"\[#[^\[\]]{1,60}\]\s*")
_TAG = re.compile(r"\[(?!#)[^\[\]]{1,60}\]\s*")


def base_subject(subject: str) -> tuple[str, str]:
    """The subject to compare by, and what stood before it: `reply`, `forward`, `auto` or an empty text."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", subject[:SUBJECT_CHARS_MAX]).casefold())
    text = " ".join(text.replace("：", ":").split())
    kind = ""
    tickets: list[str] = []
    while True:
        mark = _MARK.match(text)
        ticket = _TICKET.match(text)
        found = mark or ticket or _TAG.match(text)
        if found is None or (not mark and found.end() == len(text)):
            break
        if mark and not kind:
            kind = str(mark.lastgroup)
        if ticket and ticket.group().strip() not in tickets:
            tickets.append(ticket.group().strip())
        text = text[found.end() :]
    while text.endswith("(fwd)"):
        text = text.removesuffix("(fwd)").rstrip()
    return " ".join([*(one for one in tickets if one != text), text]).strip(), kind


@dataclass(frozen=True, slots=True)
class GuessTopic:
    """A topic to guess by: how many days it is good for, whether it is long enough to stand for itself on a list."""

    topic: str
    kind: str
    days: int
    is_long: bool


def guess_topic(subject: str) -> GuessTopic:
    """The topic by which the chain of a mail may be guessed. `days` is 0 where it must not be: generic ones and digests."""
    topic, kind = base_subject(subject)
    while (mark := _LETTER.match(topic)) is not None and mark.end() < len(topic):
        topic, inner = base_subject(topic[mark.end() :])
        kind = kind or str(mark.lastgroup) or inner
    letters = sum(letter.isalpha() for letter in topic)
    words = " ".join(_UNSAYING.sub(" ", topic).split())
    if letters < LETTERS_MIN or words in _GENERIC or is_digest(topic):
        return GuessTopic(topic, kind, 0, False)
    is_short = letters < LETTERS_LONG and " " not in words
    return GuessTopic(topic, kind, GUESS_DAYS_SHORT if is_short else GUESS_DAYS, letters >= LETTERS_LONG)


def is_digest(topic: str) -> bool:
    """Whether a base subject is that of a digest, under which several conversations are answered."""
    return _DIGEST.search(topic) is not None
