"""Mails that cost much more than they look: what is known to hold or to end a reader of mails, and calendars of that kind.

Each is a whole mail with a Message-ID of its name. `BIG` are those of tens of megabytes, made when they are asked for.
"""

import base64
from collections.abc import Callable

from tests.fakes.invites import calendar

MB = 1 << 20


def _mail(name: str, headers: bytes = b"", body: bytes = b"hi\r\n", sender: bytes = b"From: a@b.example\r\n") -> bytes:
    return b"Message-ID: <%s@bomb.example>\r\n%s%s\r\n%s" % (name.encode(), sender, headers, body)


def _typed(name: str, content_type: str, body: bytes) -> bytes:
    return _mail(name, f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n".encode(), body)


def _nested(levels: int, message: bool) -> bytes:
    if message:
        return b"\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * levels + b"hi"
    return (
        b"".join(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(levels))
        + b"hi"
    )


def _zones(count: int) -> list[str]:
    part = [
        "BEGIN:STANDARD",
        "DTSTART:16010101T000000",
        "TZOFFSETTO:+0100",
        "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "END:STANDARD",
    ]
    return ["BEGIN:VTIMEZONE", "TZID:Z", *part * count, "END:VTIMEZONE"]


def _calendar(name: str, text: str) -> bytes:
    return _typed(name, "text/calendar; method=REQUEST; charset=utf-8", text.encode())


def _series(rule: str, count: int = 50) -> str:
    event = calendar(RRULE=rule).split("BEGIN:VEVENT\r\n", 1)[1].split("END:VCALENDAR", 1)[0]
    return f"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n{''.join(f'BEGIN:VEVENT{chr(13)}{chr(10)}{event}' for _ in range(count))}END:VCALENDAR\r\n"


HTML = "text/html; charset=utf-8"
CROWD = b", ".join(b"a%d@b.example" % n for n in range(32_000))

BOMBS: dict[str, bytes] = {
    "multipart-300": _typed("multipart-300", "multipart/mixed; boundary=b0", _nested(300, message=False)),
    "multipart-1000": _typed("multipart-1000", "multipart/mixed; boundary=b0", _nested(1000, message=False)),
    "messages-2000": _typed("messages-2000", "message/rfc822", _nested(2000, message=True)),
    "parts-100000": _typed("parts-100000", "multipart/mixed; boundary=b", b"--b\r\n\r\n\r\n" * 100_000),
    "recipients-32000": _mail("recipients-32000", b"To: " + CROWD + b"\r\n"),
    "recipients-million": _mail("recipients-million", b"To: " + CROWD * 30 + b"\r\n"),
    "words-16000": _mail("words-16000", b"Subject: " + b"=?utf-8?q?a?= " * 16_000 + b"\r\n"),
    "parameters-20000": _typed("parameters-20000", "text/plain" + "; a=b" * 20_000, b"hi"),
    "brackets-500": _mail("brackets-500", sender=b"From: " + b"(" * 500 + b"\r\n"),
    "brackets-2000": _mail("brackets-2000", sender=b"From: " + b"<(" * 2000 + b"a@b.example\r\n"),
    "odd-headers": _mail("odd-headers", b"To: unlisted-recipients:; (no To-header on input)\r\nReply-To: a@\r\nIn-Reply-To: <>\r\n", sender=b'From: "\r\n'),
    "odd-id": b"Message-ID: <a@[1.2.3>\r\nFrom: a@b.example\r\n\r\nhi\r\n",
    "header-1mb": _mail("header-1mb", b"X-A: " + b"x" * MB + b"\r\n"),
    "headers-50000": _mail("headers-50000", b"X-A: b\r\n" * 30_000),
    "date-nines": _mail("date-nines", b"Date: " + b"9" * 10_000 + b"\r\n"),
    "date-offset": _mail("date-offset", b"Date: Wed, 25 Nov 2026 10:00:00 +9999\r\n"),
    "digits-1mb": _mail("digits-1mb", body=b"7" * MB),
    "div-20000": _typed("div-20000", HTML, b"<div>" * 20_000 + b"hi"),
    "div-200000": _typed("div-200000", HTML, b"<div>" * 200_000 + b"hi"),
    "tags-200000": _typed("tags-200000", HTML, b"<b><p></b>" * 200_000),
    "attributes-100000": _typed("attributes-100000", HTML, b"<a " + b'x="y" ' * 100_000 + b">hi"),
    "entities-300000": _typed("entities-300000", HTML, b"&#x1F600;" * 300_000),
    "entity-long": _typed("entity-long", HTML, b"&#" + b"9" * MB + b";"),
    "comments": _typed("comments", HTML, b"<!--" * 300_000),
    "quotes-60000": _mail("quotes-60000", b"In-Reply-To: <x@y>\r\n", b"> " * 30_000 + b"\r\n" + b">\r\n" * 60_000),
    "on-lines": _mail("on-lines", b"In-Reply-To: <x@y>\r\nSubject: Re: x\r\n", b"On Mon, Nov 2 at 1:00 a@b.example\r\n" * 30_000),
    "quoted-printable": _mail("quoted-printable", b"Content-Transfer-Encoding: quoted-printable\r\n", b"=\r\n" * 500_000),
    "base64-junk": _mail("base64-junk", b"Content-Transfer-Encoding: base64\r\n", b"!\r\n@" * 500_000),
    "uuencode": _mail("uuencode", b"Content-Transfer-Encoding: x-uuencode\r\n", b"begin 644 a\r\n" * 100_000),
    "boundary-long": _typed("boundary-long", f'multipart/mixed; boundary="{"b" * 100_000}"', b"--" + b"b" * 100_000 + b"\r\n\r\nhi"),
    "boundaries-near": _typed("boundaries-near", "multipart/mixed; boundary=b", b"--b \r\n" * 100_000),
    "charset": _typed("charset", "text/plain; charset=punycode", b"-" * 500_000),
    "nul": _mail("nul", body=b"\x00" * 2 * MB),
    "rule-never": _calendar("rule-never", _series("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")),
    "rule-always": _calendar("rule-always", _series("FREQ=DAILY;BYHOUR=0,1,2,3;BYMINUTE=0,1,2,3,4,5")),
    "rule-seconds": _calendar("rule-seconds", _series("FREQ=SECONDLY;COUNT=99999999")),
    "events-20000": _calendar("events-20000", _series("FREQ=DAILY", 1000)),
    "attendees-20000": _calendar("attendees-20000", calendar("REQUEST", *(f"ATTENDEE:mailto:a{n}@b.example" for n in range(12_000)))),
    "zones": _calendar("zones", calendar("REQUEST", *(["RRULE:FREQ=DAILY"]), **{"DTSTART": "", "DTSTART;TZID=Z": "20261201T100000"}).replace("BEGIN:VEVENT", "\r\n".join([*_zones(300), "BEGIN:VEVENT"]))),
    "components-nested": _calendar("components-nested", "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n" + "BEGIN:VEVENT\r\n" * 20_000),
    "exdates": _calendar("exdates", calendar("REQUEST", "EXDATE:" + ",".join(["20261201T100000Z"] * 20_000), RRULE="FREQ=DAILY")),
}  # fmt: skip


def _attachment(name: str, size: int) -> bytes:
    head = b"--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return _typed(
        name,
        "multipart/mixed; boundary=b",
        b"--b\r\n\r\nhi\r\n" + head + base64.encodebytes(b"\xa5" * size) + b"--b--\r\n",
    )


BIG: dict[str, Callable[[], bytes]] = {
    "line-25mb": lambda: _mail("line-25mb", body=b"x" * 25 * MB),
    "html-20mb": lambda: _typed("html-20mb", HTML, b"flat text & more <br> " * (MB - 50_000)),
    "attachment-36mb": lambda: _attachment("attachment-36mb", 36 * MB),  # 50 MB on the server
    "attachment-100mb": lambda: _attachment("attachment-100mb", 74 * MB),
}
