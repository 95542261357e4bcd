"""What reads strangers' bytes, each reader as one function of bytes that raises nothing; and two ways of feeding it.

    mutations(…)                  seeded changes of good input, for the short share of every run
    tests.fakes.fuzzing_led       inputs led by coverage, a program of its own

An input fails a reader that raises or takes longer than CALL_SECONDS_MAX. Inputs that ever failed are kept in tests/data/fuzz and are read in every run.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from connectors.mail import responses
from interactions import (
    addresses,
    bodies,
    contactfiles,
    forwards,
    invites,
    mime,
    mime_headers,
    mime_reports,
    mime_words,
    phones,
    recurrence,
    replies,
    search,
    topics,
    vcards,
)
from interactions.mime_careful import careful_tree
from tests.fakes.invites import calendar, invite_mail

CALL_SECONDS_MAX = 2
INPUT_BYTES_MAX = 32 * 1024
KEPT = Path(__file__).parent.parent / "data" / "fuzz"

BEGINS = datetime(2026, 12, 1, 10)  # noqa: DTZ001  by the clock of the place

Reader = Callable[[bytes], object]


def readers() -> dict[str, Reader]:
    """The readers by name."""

    def mail(raw: bytes) -> None:
        try:
            read = mime.parse(raw)
        except mime.TooComplex:
            return
        for one in read.attachments:
            mime.cut(raw, one.part or "")

    def contacts(read: Reader, raw: bytes) -> None:
        with suppress(contactfiles.UnreadableFile):
            read(raw)

    def text_of(raw: bytes) -> str:
        return raw.decode("utf-8", "replace")

    def header(raw: bytes) -> None:
        text = mime_words.raw_text(raw)
        mime_words.parameters(text)
        mime_words.decode_words(text)
        mime_headers.message_ids(text)
        mime_headers.read_date(text)
        topics.base_subject(text)

    def server(raw: bytes) -> None:
        reader = responses.ResponseReader("peer", 4096, 4096)
        try:
            for n in range(0, len(raw), 97):
                for response in reader.feed(raw[n : n + 97]):
                    responses.parse(response, "peer")
        except responses.Garbled:
            return

    return {
        "mail": mail,
        "careful": lambda raw: careful_tree(raw, 100, 20),
        "header": header,
        "addresses": lambda raw: addresses.parse_addresses(mime_words.raw_text(raw)),
        "html": lambda raw: (bodies.html_to_texts(text_of(raw)), bodies.safe_html(text_of(raw))),
        "reply": lambda raw: replies.without_old(replies.new_words(text_of(raw), is_reply=True), text_of(raw[::-1]), text_of(raw)),
        "forward": lambda raw: forwards.forwarded_in(text_of(raw), is_forward=True),
        "calendar": lambda raw: invites.read_invites(text_of(raw)),
        "rule": lambda raw: recurrence.starts(text_of(raw), BEGINS),
        "report": lambda raw: mime_reports.read_report(raw, 0),
        "number": lambda raw: (phones.read_number(text_of(raw), "RU"), search.parse_query(text_of(raw), "RU")),
        "cards": lambda raw: contacts(vcards.read_cards, raw),
        "table": lambda raw: contacts(contactfiles.read, raw),
        "server": server,
    }  # fmt: skip


def seeds() -> dict[str, list[bytes]]:
    """Good input to begin with; what has none begins with words of a mail."""
    reply = "Спасибо!\r\n\r\n25.11.2026 15:32, Анна пишет:\r\n> Посылаю счёт.\r\n-- \r\nИван\r\n"
    block = "From: Ann <a@b.example>\r\nSent: 25.11.2026 15:32\r\nTo: Ivan\r\nSubject: Order\r\n\r\nHi\r\n"
    simple = b"From: a@b.example\r\nSubject: =?utf-8?b?0JTQvtC=?= =?utf-8?b?utC+?=\r\nMessage-ID: <1@x>\r\n\r\nhi\r\n"
    parts = (
        b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=koi8-r\r\n"
        b"\r\n<p>hi<blockquote>x</blockquote>\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        + simple
        + b"\r\n--b--\r\n"
    )
    mails = [simple, parts, invite_mail("1", calendar()), simple + reply.encode()]
    return {
        "mail": mails,
        "careful": mails,
        "header": [b"text/plain; charset=utf-8; name*0*=utf-8''%D0%94; name*1=x", b"Wed, 25 Nov 2026 15:32:00 +0300", b"Re[2]: Fwd: [x] =?koi8-r?q?=C1?="],
        "addresses": [b'"A, B" <a@b.example>, (c) d@e.example; group: x@y;', "Анна <анна@пример.рф>".encode()],
        "html": [b"<div><p>a&amp;b<table><tr><td>x<blockquote>q</blockquote><script>1</script><img src=cid:a><a href='http://x'>"],
        "reply": [reply.encode(), block.encode()],
        "forward": [b"---------- Forwarded message ---------\n" + block.encode(), reply.encode()],
        "calendar": [calendar("REQUEST", "BEGIN:VALARM", "END:VALARM", RRULE="FREQ=WEEKLY;BYDAY=MO;COUNT=3").encode(), calendar("REPLY").encode()],
        "rule": [b"FREQ=MONTHLY;BYDAY=-1FR;BYSETPOS=1;INTERVAL=2;WKST=SU", b"FREQ=YEARLY;BYWEEKNO=20;BYYEARDAY=100"],
        "report": [b"Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; a@b.example\r\nAction: failed\r\n\r\nMessage-ID: <1@x>\r\n"],
        "number": [b"+7 (495) 632-98-16 #12", b"sip:101@pbx", b'"a b" 632-98 anna@b.example'],
        "cards": [b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\nTEL;TYPE=work:+74956329816\r\nEMAIL:a@b.example\r\nEND:VCARD\r\n"],
        "table": ["name;phone;email\nАнна;84956329816;a@b.example\n".encode(), "Имя,Телефон\n\"А\",+7\n".encode("cp1251")],
        "server": [b'* 1 FETCH (UID 7 FLAGS (\\Seen) BODY[] {3}\r\nabc X "q\\"")\r\n* SEARCH 1 2 3\r\na1 OK done\r\n'],
    }  # fmt: skip


WORDS = (
    b"\r\n", b"\n", b"\x00", b"\xff", b"\xed\xa0\x80", b"--b", b"--b--", b"=?utf-8?b?", b"?=", b"<", b">", b'"', b"\\", b";", b":", b"(",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", b"Content-Type: message/rfc822\r\n\r\n", b"Content-Transfer-Encoding: uuencode\r\n",
    b"<blockquote>", b"<!--", b"&#9999999999;", b"> ", b"On ", b" wrote:", b"BEGIN:VEVENT\r\n", b"END:VEVENT\r\n", b"99999999999999999999",
    b"{99999}", b"\xe2\x80\xae", b"=", b"*", b"\t", b" " * 50,
)  # fmt: skip


def mutations(good: list[bytes], rng: random.Random, count: int) -> Iterator[bytes]:
    """So many changes of good input: bytes and words put in, taken out, doubled, cut off and mixed."""
    for _ in range(count):
        raw = bytearray(rng.choice(good))
        for _ in range(rng.randint(1, 6)):
            at, to = sorted(rng.randrange(len(raw) + 1) for _ in range(2))
            kind = rng.randrange(6)
            if kind == 0:
                raw[at:at] = rng.choice(WORDS)
            elif kind == 1:
                raw[at:at] = rng.randbytes(rng.randint(1, 4))
            elif kind == 2:
                del raw[at : min(to, at + 40)]
            elif kind == 3:
                raw[at:at] = raw[at : at + 60] * rng.randint(1, 20)
            elif kind == 4:
                raw[at:] = rng.choice(good)[at:]
            elif raw:
                raw[min(at, len(raw) - 1)] ^= 1 << rng.randrange(8)
        yield bytes(raw[:INPUT_BYTES_MAX])
