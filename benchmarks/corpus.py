"""Mails to measure with: the same ones each time, in Russian and English, as different programs write them.

Six in ten are small text, three have HTML beside it, one has an attachment. Threads are one to six mails long with their
quotations; charsets and transfer encodings change from mail to mail.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from daemon.demo.files import File
from daemon.demo.letters import Letter, compose, plain_text

SEED = 1
THREAD_MAX = 6
ATTACHMENT_BYTES = (100_000, 1_120_000)
CHARSETS = ("utf-8", "utf-8", "koi8-r", "windows-1251")
FIRST_AT = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
US = ("Отдел продаж", "sales@example.org")
_WORDS = (
    "заказ поставка договор срок оплата счёт склад партия образец доставка машина понедельник прошу подтвердить цену "
    "количество артикул скидка остаток отгрузка возврат гарантия order delivery contract payment invoice warehouse sample "
    "truck monday please confirm price quantity discount stock shipment warranty call +74956329816 today tomorrow"
).split()


def mails(count: int, seed: int = SEED) -> Iterator[bytes]:
    """So many mails as they lie on a server."""
    rng = random.Random(seed)
    at = FIRST_AT
    made = 0
    while made < count:
        customer = (
            f"Клиент {rng.randrange(2000)}",
            f"client{rng.randrange(2000)}@customer{rng.randrange(300)}.example",
        )
        before: list[Letter] = []
        for _ in range(min(rng.randint(1, THREAD_MAX), count - made)):
            at += timedelta(minutes=rng.randint(1, 30))
            letter = _letter(rng, made, at, customer, before)
            before.append(letter)
            made += 1
            yield compose(letter)


def _letter(rng: random.Random, number: int, at: datetime, customer: tuple[str, str], before: list[Letter]) -> Letter:
    kind = rng.random()
    parent = before[-1] if before else None
    is_ours = len(before) % 2 == 1
    paragraphs = 25 if 0.6 <= kind < 0.9 else 3
    return Letter(
        message_id=f"{number}.{rng.getrandbits(40):010x}@bench.example",
        sent_at=at,
        sender=US if is_ours else customer,
        to=[customer if is_ours else US],
        topic=f"Re: {parent.topic.removeprefix('Re: ')}" if parent else f"{_sentence(rng, 4)} {number}",
        text="\n\n".join(_sentence(rng, rng.randint(8, 60)) for _ in range(paragraphs)),
        signature="С уважением,\nКлиент\n+7 (495) 632-98-16",
        quoted=(f"{parent.sent_at:%d.%m.%Y %H:%M}, {parent.sender[0]}:", plain_text(parent)[:4000]) if parent else None,
        in_reply_to=parent.message_id if parent else "",
        references=tuple(one.message_id for one in before),
        charset=rng.choice(CHARSETS),
        with_html=0.6 <= kind < 0.9,
        files=[_file(rng, number)] if kind >= 0.9 else (),
    )


def _sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=words)).capitalize() + "."


def _file(rng: random.Random, number: int) -> File:
    return File(f"Документ {number}.pdf", "application/pdf", rng.randbytes(rng.randint(*ATTACHMENT_BYTES)))
