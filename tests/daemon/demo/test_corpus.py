"""The sample mail: what is in it, that our own parser reads it, and that it is the same each time."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from daemon.demo import files
from daemon.demo.corpus import ARCHIVE, DRAFTS, INBOX, JUNK, SENT, TRASH, Corpus, Mail
from daemon.demo.people import PARTNERS, PERSONS, STRANGERS_PHONES, USERS
from daemon.demo.stories import read_stories
from interactions.addresses import email_key
from interactions.mime import ParsedMail, parse
from interactions.phones import phone_key
from interactions.records import AddressKind

NOW = datetime(2026, 11, 25, 11, 40, tzinfo=UTC)
LISTS = ("sales.ru", "service.ru", "abroad.en", "colleagues.ru")


@pytest.fixture(scope="module")
def mails() -> list[Mail]:
    return Corpus(1).history(NOW)


@pytest.fixture(scope="module")
def parsed(mails: list[Mail]) -> list[ParsedMail]:
    return [parse(mail.raw) for mail in mails]


def test_there_are_a_few_hundred_mails_of_sixty_days_in_order_of_arrival(mails: list[Mail]) -> None:
    times = [mail.received_at for mail in mails]

    assert 280 <= len(mails) <= 420
    assert times == sorted(times)
    assert NOW - timedelta(days=63) < times[0] < NOW - timedelta(days=50)
    assert NOW - timedelta(days=3) < times[-1] <= NOW


def test_the_same_seed_tells_the_same_stories(mails: list[Mail]) -> None:
    assert Corpus(1).history(NOW) == mails
    assert Corpus(2).history(NOW) != mails


def test_every_folder_has_mail(mails: list[Mail]) -> None:
    folders = Counter((mail.mailbox, mail.folder) for mail in mails)

    assert {folder for _, folder in folders} == {INBOX, SENT, ARCHIVE, JUNK, TRASH, DRAFTS}
    assert min(folders["sales", folder] for folder in (INBOX, SENT, ARCHIVE)) > 20
    assert min(folders["service", folder] for folder in (INBOX, SENT)) > 5


def test_ids_are_unique_and_replies_point_to_letters_that_were_written(parsed: list[ParsedMail]) -> None:
    ids = Counter(mail.message_id for mail in parsed)
    replies = [mail for mail in parsed if mail.in_reply_to]
    missing = [mail for mail in replies if mail.in_reply_to[0] not in ids]

    assert max(ids.values()) == 1
    assert all(mail.references[-1] == mail.in_reply_to[0] for mail in replies)
    assert len(replies) > 150
    assert 1 <= len(missing) <= 20  # answers that were sent from a telephone and lie nowhere


def test_some_letters_come_in_another_order_than_they_were_written(mails: list[Mail], parsed: list[ParsedMail]) -> None:
    arrived = {read.message_id: mail.received_at for mail, read in zip(mails, parsed, strict=True)}
    late = [
        read for read in parsed if read.in_reply_to and arrived.get(read.in_reply_to[0], NOW) > arrived[read.message_id]
    ]

    assert late


def test_every_kind_of_mail_is_there(mails: list[Mail], parsed: list[ParsedMail]) -> None:
    marks = Counter(mark for mail in parsed for mark in mail.marks)
    attached = {one.content_type for mail in parsed for one in mail.attachments}

    assert marks["bulk"] >= 5
    assert marks["bounce"] == 2
    assert marks["auto_reply"] >= 1
    assert "ambiguous" not in marks
    assert {"application/pdf", "image/png", "text/csv"} <= attached
    assert any(one.inline for mail in parsed for one in mail.attachments)
    for charset in (b"koi8-r", b"windows-1251", b"utf-8"):
        assert any(charset in mail.raw for mail in mails)
    assert sum(b"multipart/alternative" in mail.raw for mail in mails) > 100


def test_texts_and_names_are_read_without_a_broken_letter(mails: list[Mail], parsed: list[ParsedMail]) -> None:
    for mail, read in zip(mails, parsed, strict=True):
        words = [read.subject, read.body_text, *(one.name for one in read.attachments)]
        words += [box.display_name for box in (*read.from_, *read.to)]
        is_lying = b'charset="utf-8"' in mail.raw and not mail.raw.isascii()
        assert is_lying or not any("\ufffd" in text or "=?" in text for text in words), read.subject
        assert "{" not in "".join(words)
        assert read.body_text.strip()
        assert read.from_
        assert read.date is not None


def test_one_mail_lies_about_its_charset(mails: list[Mail]) -> None:
    liars = [mail for mail in mails if b'charset="utf-8"' in mail.raw and not mail.raw.isascii()]

    assert len(liars) == 1
    assert "Здравствуйте" in liars[0].raw.partition(b"\r\n\r\n")[2].decode("cp1251")


def test_no_address_and_no_domain_is_of_this_world(parsed: list[ParsedMail]) -> None:
    addresses = {box.address for mail in parsed for box in (*mail.from_, *mail.to, *mail.cc, *mail.reply_to)}
    addresses |= {
        email for one in (*PARTNERS, *USERS) for email in getattr(one, "emails", (getattr(one, "email", ""),))
    }
    addresses |= {email for person in PERSONS for email in (person.email, *person.more_emails)}

    assert [address for address in addresses if not address.endswith(".example")] == []
    assert all(email_key(address) for address in addresses)


def test_every_number_is_valid_and_written_in_many_ways() -> None:
    written = [phone for one in (*PARTNERS, *PERSONS) for phone in one.phones]
    keys = [phone_key(phone, "RU") for phone in written]

    assert all(key is not None and key.kind is AddressKind.PHONE for key in keys)
    # The store's manager has an extension of the store's own number.
    assert len({key.value for key in keys if key}) == len(written) - 1
    assert len({"".join("9" if c.isdigit() else c for c in phone) for phone in written}) > 15
    assert all(phone_key(phone, "RU") for phone in STRANGERS_PHONES if phone != "anonymous")


def test_two_addresses_belong_to_two_people() -> None:
    owners = Counter(email for person in PERSONS for email in (person.email, *person.more_emails))

    assert sorted(owners.values())[-2:] == [2, 2]


@pytest.mark.parametrize("name", LISTS)
def test_every_story_can_be_told_by_somebody(name: str) -> None:
    for story in read_stories(name):
        assert story.lines, story.topic
        assert story.mailbox in ("sales", "service")
        assert story.role == "colleague" or any(story.role in person.roles for person in PERSONS), story.role
        assert all(line.by in ("them", "us", "anna", "boris", "vera") for line in story.lines)
        assert {kind for line in story.lines for kind in line.files} <= set(files.KINDS)


def test_the_mail_never_ends() -> None:
    corpus = Corpus(3)
    corpus.history(NOW)

    later = [corpus.next_mail(NOW + timedelta(seconds=4 * n)) for n in range(500)]

    read = [parse(mail.raw) for mail in later]
    assert {mail.folder for mail in later} == {INBOX, SENT}
    assert len({one.message_id for one in read}) == 500
    assert sum(bool(one.in_reply_to) for one in read) > 250
    assert all(one.body_text.strip() and "{" not in one.subject for one in read)


def test_mail_goes_on_in_correspondences_that_began_before(parsed: list[ParsedMail]) -> None:
    corpus = Corpus(1)
    corpus.history(NOW)
    ids = {mail.message_id for mail in parsed}

    later = [parse(corpus.next_mail(NOW).raw) for _ in range(10)]

    assert any(ids.intersection(mail.references) for mail in later)


def test_a_picture_and_a_document_are_what_they_say(parsed: list[ParsedMail]) -> None:
    page = files.document(["Invoice 1 (copy)"])

    assert page.startswith(b"%PDF-1.4")
    assert page[int(page.split()[-2]) :].startswith(b"xref")
