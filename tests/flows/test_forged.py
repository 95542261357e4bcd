"""Mails that want into somebody else's chain, three ways of being told: none gets in without a flag that says so."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.base import Batch
from daemon.intake.context import IntakeSettings
from daemon.intake.desk import Desk
from interactions.addresses import email_key
from interactions.mime import ParsedMail, parse
from interactions.reply_tokens import message_id, new_token, plus_address, signing_key
from storage import addresses, leases, sources
from storage.blobs import Blobs
from storage.database import Database
from tests.fakes.arrivals import START, mail, raw_mail

SALES, ANNA = "sales@example.org", "anna@example.org"
NOW = START + timedelta(days=60)
KEY = signing_key("a secret")
OWN = frozenset(key for key in [email_key(SALES), email_key(ANNA)] if key)
PLAIN = IntakeSettings(own=OWN, signing_key=KEY, auth_servers=frozenset({"mx.example.org"}))
MODES = {
    "flag": PLAIN,
    "new_chain": replace(PLAIN, strangers_apart=True),
    "claims": replace(PLAIN, unproved_claims=True),
}


def with_headers(raw: bytes, *lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode() + raw


class Conversation:
    """A customer's question and our answer, number `n`: nobody and nothing in it is in another one."""

    def __init__(self, n: int) -> None:
        self.n, self.firm, self.topic = n, f"customer{n}.example", f"Kitchen for the house {n}000"
        self.ivan, self.mallory = f"ivan@{self.firm}", f"mallory@evil{n}.example"
        token = new_token(KEY, START, n.to_bytes(8, "big"))
        bad = token[:20] + ("a" if token[20] != "a" else "b") + token[21:]
        self.own_id, self.bad_id = message_id(token, "example.org"), message_id(bad, "example.org")
        self.plus, self.bad_plus = plus_address(token, SALES), plus_address(bad, SALES)
        self.reply = f"In-Reply-To: <{self.own_id}>"
        self.refers = f"References: <asked{n}@test.example> <{self.own_id}>"

    def checked(self, result: str, host: str = "mx.example.org", domain: str = "") -> str:
        return f"Authentication-Results: {host}; dmarc={result} header.from={domain or self.firm}"

    def honest(self) -> list[bytes]:
        asked = with_headers(raw_mail(f"asked{self.n}", self.ivan, SALES, self.topic), self.checked("pass"))
        answer = raw_mail(
            "x", SALES, self.ivan, f"Re: {self.topic}", reply_to=f"asked{self.n}", at=START + timedelta(hours=1)
        )
        return [asked, answer.replace(b"<x@test.example>", f"<{self.own_id}>".encode())]

    def mail(self, sender: str, to: str, *headers: str, subject: str = "", text: str = "x") -> bytes:
        raw = raw_mail(f"last{self.n}", "s@x", to, subject or f"Re: {self.topic}", text, at=START + timedelta(days=1))
        return with_headers(raw.replace(b"From: s@x", f"From: {sender}".encode()), *headers)

    def by_somebody(self) -> dict[str, bytes]:
        who, ivan, index = self.mallory, self.ivan, b64encode(bytes(6) + b"c" * 16).decode()
        return {
            "by In-Reply-To": self.mail(who, SALES, self.reply),
            "by References": self.mail(who, SALES, self.refers),
            "by both": self.mail(who, SALES, self.reply, self.refers),
            "with another topic": self.mail(who, SALES, self.reply, subject="Other"),
            "by the customer's own id": self.mail(who, SALES, f"In-Reply-To: <asked{self.n}@test.example>"),
            "by topic alone": self.mail(who, SALES),
            "by topic, with the customer in copy": self.mail(who, f"{SALES}, {ivan}"),
            "by topic, as a robot": self.mail(
                who, SALES, "Auto-Submitted: auto-replied", subject=f"Auto: {self.topic}"
            ),
            "by a ticket's number": self.mail(who, SALES, subject=f"Re: [#1] {self.topic}"),
            "by a token that was seen": self.mail(who, self.plus),
            "by a token, with one of us in copy": self.mail(who, f"{self.plus}, {ANNA}"),
            "by a token, with the customer in copy": self.mail(who, f"{self.plus}, {ivan}"),
            "by a token in the text": self.mail(who, SALES, text=f"> {self.plus} wrote"),
            "by a token that was guessed": self.mail(who, self.bad_plus),
            "by a guessed id of ours": self.mail(who, SALES, f"In-Reply-To: <{self.bad_id}>"),
            "by Outlook's conversation": self.mail(who, SALES, f"Thread-Index: {index}"),
            "with two senders": self.mail(f"{ivan}, {who}", SALES, self.reply),
            "with two senders, turned round": self.mail(f"{who}, {ivan}", SALES, self.reply),
            "with two headers From": self.mail(who, SALES, self.reply, f"From: {ivan}"),
            "with an empty sender": self.mail("", SALES, self.reply),
            "with a group as sender": self.mail("undisclosed-recipients:;", SALES, self.reply),
            "as a bounce of our answer": self.mail(who, SALES, "Return-Path: <>", self.reply),
            "as a list": self.mail(who, SALES, self.reply, f"List-Id: <{self.firm}>"),
        }

    def in_disguise(self) -> dict[str, bytes]:
        who, ivan = self.mallory, self.ivan
        anna = self.checked("fail", domain="example.org")
        return {
            "with the customer's address as a name": self.mail(f'"{ivan}" <{who}>', SALES, self.reply),
            "with a sender that can be read in two ways": self.mail(f"{ivan}){who}", SALES, self.reply),
            "with a domain that begins alike": self.mail(f"{ivan}.evil.example", SALES, self.reply),
            "with a domain that ends alike": self.mail(f"ivan@not{self.firm}", SALES, self.reply),
            "with a letter of another alphabet": self.mail(f"ivan@\u0441{self.firm[1:]}", SALES, self.reply),
            "with answers to the customer": self.mail(who, SALES, self.reply, f"Reply-To: {ivan}"),
            "with the customer as Sender": self.mail(who, SALES, self.reply, f"Sender: {ivan}"),
            "with a signed mail within": self.mail(
                who, SALES, self.reply, text=f"Content-Type: message/rfc822\n\nFrom: {ivan}\n"
            ),
            "with a second mail behind it": self.mail(who, SALES, self.reply, text=f"\n.\nMAIL FROM:<{ivan}>\nFrom: {ivan}"),
            "as the customer, and the check failed": self.mail(ivan, SALES, self.checked("fail"), self.reply),
            "as the customer, with a check of its own": self.mail(
                ivan, SALES, self.checked("fail"), self.checked("pass", "mx.evil.example"), self.reply
            ),
            "as the customer, checked twice": self.mail(ivan, SALES, self.checked("fail"), self.checked("pass"), self.reply),
            "as the customer, by topic": self.mail(ivan, SALES, self.checked("fail")),
            "as the customer, by a token": self.mail(ivan, self.plus, self.checked("fail")),
            "as one of us, and the check failed": self.mail(ANNA, ivan, anna, self.reply),
            "as one of us, by a guessed id": self.mail(SALES, ivan, anna, f"In-Reply-To: <{self.bad_id}>"),
        }  # fmt: skip

    def unchecked(self) -> dict[str, bytes]:
        """Whose only proof is the address in From, which no host of ours has checked."""
        return {
            "as the customer": self.mail(self.ivan, SALES, self.reply),
            "with a check by nobody we believe": self.mail(
                self.ivan, SALES, self.checked("pass", "mx.evil.example"), self.reply
            ),
            "as one of us": self.mail(ANNA, self.ivan, self.reply),
        }

    def true(self) -> dict[str, bytes]:
        passed = self.checked("pass")
        return {
            "by its ids": self.mail(self.ivan, SALES, passed, self.reply, self.refers),
            "by our address": self.mail(self.ivan, self.plus, passed),
            "by a quotation of it": self.mail(self.ivan, SALES, passed, text=f"> {self.plus} wrote"),
            "by an id that a relay has moved to its domain": self.mail(
                self.ivan, SALES, passed, f"In-Reply-To: <{self.own_id.partition('@')[0]}@relay.example>"
            ),
        }


Kind = Callable[[Conversation], dict[str, bytes]]


async def outcomes(database: Database, folder: Path, mode: str, kind: Kind) -> dict[str, tuple[bool, list[str], str]]:
    """Of each kind of mail, each in a conversation of its own: whether it is in it, with which flags, in which direction."""

    async def parse_here(raw: bytes) -> ParsedMail:
        return parse(raw)

    desk = Desk(database, Blobs(folder), MODES[mode], parse_here, lambda: NOW)
    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap")])
        await addresses.mark_own(db, OWN, NOW.date())
        (lease,) = await leases.acquire(db, "test", ["sales"], 1, 60)
    names = list(kind(Conversation(0)))
    for n, name in enumerate(names):
        one = Conversation(n)
        for raw in (*one.honest(), kind(one)[name]):
            await desk.accept(lease, Batch([replace(mail(raw), received_at=START + timedelta(days=1))]))
    async with database.connection() as db:
        rows = {
            row[0]: row
            for row in await db.fetch("SELECT external_id, chain_id, link_flags, direction FROM interaction")
        }
    found = {}
    for n, name in enumerate(names):
        last, asked = rows[f"last{n}@test.example"], rows[f"asked{n}@test.example"]
        found[name] = (last[1] == asked[1], last[2], last[3])
    return found


@pytest.mark.parametrize("kind", [Conversation.by_somebody, Conversation.in_disguise])
@pytest.mark.parametrize("mode", MODES)
async def test_no_forged_mail_joins_a_chain_silently(database: Database, tmp_path: Path, mode: str, kind: Kind) -> None:
    found = await outcomes(database, tmp_path, mode, kind)

    assert [name for name, (is_in, flags, _) in found.items() if is_in and not flags] == []
    assert [name for name, (_, _, direction) in found.items() if direction != "incoming"] == []
    if mode == "new_chain" and kind is Conversation.by_somebody:
        assert [name for name, (is_in, _, _) in found.items() if is_in] == ["by a token, with the customer in copy"]


async def test_a_sender_that_nobody_has_checked_is_a_claim_where_that_is_wanted(
    database: Database, tmp_path: Path
) -> None:
    found = await outcomes(database, tmp_path, "claims", Conversation.unchecked)

    assert {outcome[1:] == (["claims"], "incoming") for outcome in found.values()} == {True}


@pytest.mark.parametrize("mode", MODES)
async def test_an_honest_answer_joins_without_a_flag(database: Database, tmp_path: Path, mode: str) -> None:
    found = await outcomes(database, tmp_path, mode, Conversation.true)

    assert list(found.values()) == [(True, [], "incoming")] * 4
