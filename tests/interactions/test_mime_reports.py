"""Bounces of several programs: which mail did not arrive, and at whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactions.mime import parse
from interactions.mime_reports import RECIPIENTS_MAX, Report, read_report

POSTFIX = """\
Return-Path: <>
From: MAILER-DAEMON@mx.example.org
To: sales@example.org
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Message-ID: <bounce@mx.example.org>
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

<ivan@customer.example>: user unknown
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; ivan@customer.example
Action: failed
Status: 5.1.1

Final-Recipient: rfc822; anna@customer.example
Action: delayed
--b
Content-Type: message/rfc822

From: sales@example.org
To: ivan@customer.example
Message-ID: <offer@example.org>
Subject: Offer

Text of the offer
--b--
"""
QMAIL = """\
Return-Path: <>
From: MAILER-DAEMON@mx.example.org
Subject: failure notice

<ivan@customer.example>:
Sorry, no mailbox here by that name.

--- Below this line is a copy of the message.

From: sales@example.org
Message-ID:
 <offer@example.org>

Text of the offer
"""
EXIM = """\
X-Failed-Recipients: ivan@customer.example, anna@customer.example
Auto-Submitted: auto-generated
From: Mailer-Daemon@mx.example.org

------ This is a copy of the message, including all the headers. ------

Message-id: <offer@example.org>
"""


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        (POSTFIX, ("ivan@customer.example",)),
        (QMAIL, ()),
        (EXIM, ("ivan@customer.example", "anna@customer.example")),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_bounce_names_the_mail_that_did_not_arrive(text: str, failed: tuple[str, ...], end: str) -> None:
    mail = parse(text.replace("\n", end).encode())

    assert "bounce" in mail.marks
    assert mail.report == Report("offer@example.org", failed)


def test_the_words_of_the_returned_mail_are_not_those_of_the_bounce() -> None:
    assert parse(POSTFIX.encode()).body_text == "<ivan@customer.example>: user unknown"


def test_a_note_that_a_mail_was_read_is_no_bounce() -> None:
    receipt = POSTFIX.replace("delivery-status;", "disposition-notification;").replace("Return-Path: <>\n", "")

    mail = parse(receipt.encode())

    assert "auto_reply" in mail.marks
    assert mail.report == Report()


def test_an_absence_notice_from_the_empty_sender_is_no_bounce() -> None:
    assert parse(
        b"From: a@b.example\nReturn-Path: <>\nAuto-Submitted: auto-replied\nSubject: I am away\n\nBack on Monday"
    ).marks == ("auto_reply",)


def test_an_ordinary_mail_reports_nothing() -> None:
    assert parse(b"From: a@b.example\n\nMessage-ID: <offer@example.org>\n").report == Report()


def test_a_report_is_bounded() -> None:
    many = b"\n\n" + b"Final-Recipient: rfc822; a%d@b.example\nAction: failed\n\n" * 1
    raw = b"\n\n" + b"".join(many.replace(b"%d", b"%d" % n) for n in range(2000))

    assert len(read_report(raw, 0).failed) == RECIPIENTS_MAX


@given(st.binary(max_size=300))
def test_no_report_raises(raw: bytes) -> None:
    read_report(b"\nFinal-Recipient: rfc822;" + raw + b"\nMessage-ID:" + raw, 0)
