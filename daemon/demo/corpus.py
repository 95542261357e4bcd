"""The mail of a small company: sixty days of it, and then a next letter as often as it is asked for.

Everything follows from the seed and `now`. History is a few dozen correspondences of two to eight mails, and what lies
between them: newsletters, a bounce, automatic answers, strangers, an address that two people share, a mail that lies
about its charset, spam, drafts. Correspondences whose next letter would come after `now` stay open, and `next_mail`
goes on with them or begins new ones, so the mail never ends.

Some of it is there to be hard: a few of our answers are in no folder (sent from a telephone), some letters come in
another order than they were written, old mail was moved to an archive.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from daemon.demo import texts_other as other
from daemon.demo.correspondence import MAILBOXES, MOSCOW, Correspondence, Posted, after_working_hours
from daemon.demo.letters import Address, Letter, bounce, compose, lying
from daemon.demo.people import PERSONS, SHARED_OFFICE
from daemon.demo.stories import Slots, Story, fill, read_stories

DAYS = 60
STORIES_COUNT = 74
ARCHIVED_AFTER = timedelta(days=40)
UNSEEN_SINCE = timedelta(days=4)
OPEN_MAX = 12
INBOX, SENT, ARCHIVE, JUNK, TRASH, DRAFTS = "INBOX", "Sent", "Архив", "Junk", "Trash", "Drafts"
FOLDERS = (INBOX, SENT, ARCHIVE, JUNK, TRASH, DRAFTS)


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail on the server: in which mailbox (`sales`, `service`) and folder, and when it came there."""

    mailbox: str
    folder: str
    raw: bytes
    received_at: datetime
    is_seen: bool = False


class Corpus:
    """See the module. `history` is asked for once, before `next_mail`."""

    def __init__(self, seed: int = 1) -> None:
        self._rng = random.Random(seed)  # noqa: S311 (sample texts, no secrets)
        self._stories = [story for name in ("sales.ru", "service.ru", "abroad.en") for story in read_stories(name)]
        self._colleagues = read_stories("colleagues.ru")
        self._number = 0
        self._single = 0
        self._open: list[Correspondence] = []
        self._to_tell: list[Story] = []
        self._strangers = 0

    def history(self, now: datetime) -> list[Mail]:
        """The mail up to `now`, in the order in which it came."""
        mails = [mail for began in self._beginnings(now) for mail in self._told(began, now)]
        mails += self._newsletters(now)
        mails += self._singles(now)
        mails.sort(key=lambda mail: mail.received_at)
        return mails

    def next_mail(self, now: datetime) -> Mail:
        """The next mail: mostly an answer in an open correspondence, now and then a new one or a stranger's."""
        self._open = [one for one in self._open if one.next_line is not None]
        chance = self._rng.random()
        if chance < 0.06:
            self._strangers += 1
            who, topic, text = other.STRANGERS[self._strangers % len(other.STRANGERS)]
            return self._incoming("sales", now, who, topic, text)
        if not self._open or (chance < 0.35 and len(self._open) < OPEN_MAX):
            self._open.append(self._begin(self._next_story(), now))
        one = self._rng.choice(self._open)
        return self._mail(one.next_letter(now), now, now)

    # Correspondences ------------------------------------------------------------------------------------------------

    def _beginnings(self, now: datetime) -> Iterator[tuple[Story, datetime]]:
        """Stories and when they begin: evenly over the days, the last ones today."""
        step = timedelta(days=DAYS) / STORIES_COUNT
        for n in range(STORIES_COUNT):
            at = now - timedelta(days=DAYS) + step * n + self._rng.random() * step
            yield self._next_story(), after_working_hours(at, self._rng.random() * 6)
        for n, story in enumerate(self._colleagues):
            yield story, after_working_hours(now - timedelta(days=2 + 5 * n), 1)

    def _next_story(self) -> Story:
        if not self._to_tell:
            self._to_tell = list(self._stories)
            self._rng.shuffle(self._to_tell)
        return self._to_tell.pop()

    def _begin(self, story: Story, at: datetime) -> Correspondence:
        self._number += 1
        able = [one for one in PERSONS if story.role in one.roles and one.language == story.language] or list(PERSONS)
        return Correspondence(story, self._rng.choice(able), self._number, self._rng, at.astimezone(MOSCOW).date())

    def _told(self, beginning: tuple[Story, datetime], now: datetime) -> Iterator[Mail]:
        """The letters of a correspondence that were written by now."""
        story, at = beginning
        one = self._begin(story, at)
        while (line := one.next_line) is not None:
            at = after_working_hours(at, line.after * self._rng.uniform(0.8, 1.3)) + timedelta(
                seconds=self._rng.randrange(60)
            )
            if at > now:
                self._open.append(one)
                return
            posted = one.next_letter(at)
            # Once in a while an answer was sent from a telephone that keeps no copy.
            if not posted.is_ours or one.next_line is None or self._rng.random() > 0.04:
                yield self._mail(posted, self._arrived(posted, at, now), now)
            if posted.is_ours and one.next_line is None and self._rng.random() < 0.2 and not one.is_among_us:
                yield self._away(one, posted, at)

    def _arrived(self, posted: Posted, at: datetime, now: datetime) -> datetime:
        """When a letter reached its folder: at once, but some wait in a queue while later ones pass."""
        waits = not posted.is_ours and self._rng.random() < 0.05
        return min(at + timedelta(minutes=self._rng.randrange(200, 900)), now) if waits else at + timedelta(seconds=2)

    def _mail(self, posted: Posted, received_at: datetime, now: datetime) -> Mail:
        is_in = posted.letter.to[0][1] in (MAILBOXES[posted.mailbox][1], *MAILBOXES[posted.mailbox][2])
        folder = INBOX if is_in else SENT
        if is_in and now - received_at > ARCHIVED_AFTER:
            folder = ARCHIVE
        is_seen = posted.is_ours or now - received_at > UNSEEN_SINCE
        return Mail(posted.mailbox, folder, compose(posted.letter), received_at, is_seen)

    # What lies between ----------------------------------------------------------------------------------------------

    def _letter(self, at: datetime, sender: Address, to: Address, topic: str, text: str) -> Letter:
        self._single += 1
        message_id = f"{at:%Y%m%d%H%M%S}.s{self._single}@{sender[1].partition('@')[2]}"
        return Letter(message_id, at.replace(microsecond=0).astimezone(MOSCOW), sender, [to], topic, text)

    def _incoming(
        self, mailbox: str, at: datetime, sender: Address, topic: str, text: str, folder: str = INBOX
    ) -> Mail:
        letter = self._letter(at, sender, ("", MAILBOXES[mailbox][1]), topic, _joined(text))
        return Mail(mailbox, folder, compose(letter), at, folder != INBOX)

    def _on(self, now: datetime, days: float) -> datetime:
        """A working moment some days ago."""
        at = now - timedelta(days=days)
        return min(after_working_hours(at, self._rng.random() * 4), now - timedelta(minutes=20))

    def _newsletters(self, now: datetime) -> Iterator[Mail]:
        for sender, issues, every in (
            (other.NEWSLETTER_SENDER, other.NEWSLETTER, 14),
            (other.NEWSLETTER_EN_SENDER, other.NEWSLETTER_EN, 17),
        ):
            for n, (topic, text) in enumerate(reversed(issues)):
                at = self._on(now, 1.5 + n * every)
                letter = self._letter(at, sender, ("", MAILBOXES["sales"][1]), topic, _joined(text))
                domain = sender[1].partition("@")[2]
                headers = {
                    "List-Id": f"<news.{domain}>",
                    "List-Unsubscribe": f"<https://{domain}/unsubscribe?u=sales>, <mailto:unsubscribe@{domain}>",
                    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
                    "Precedence": "bulk",
                }
                raw = compose(replace(letter, headers=headers, with_html=True))
                folder = ARCHIVE if now - at > ARCHIVED_AFTER else INBOX
                yield Mail("sales", folder, raw, at, True)

    def _away(self, one: Correspondence, posted: Posted, at: datetime) -> Mail:
        """An automatic answer of a person to what we wrote."""
        person, letter = one.person, posted.letter
        language = one.story.language
        hi = "Здравствуйте!" if language == "ru" else "Hello,"
        text = fill(
            other.AWAY_RU if language == "ru" else other.AWAY_EN, Slots({"hi": hi}, at.date(), language), self._rng
        )
        topic = f"{'Автоответ' if language == 'ru' else 'Automatic reply'}: {letter.topic}"
        reply = self._letter(at, (person.name, person.email), ("", MAILBOXES[posted.mailbox][1]), topic, text)
        headers = {"Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All"}
        reply = replace(reply, in_reply_to=letter.message_id, references=(letter.message_id,), headers=headers)
        return Mail(posted.mailbox, INBOX, compose(reply), at + timedelta(seconds=7), True)

    def _singles(self, now: datetime) -> Iterator[Mail]:
        for n, (who, topic, text) in enumerate(other.STRANGERS):
            mailbox = "service" if "дозвониться" in topic else "sales"
            yield self._incoming(mailbox, self._on(now, 0.4 + n * 6.5), who, topic, text)
        for n, (topic, text) in enumerate(other.SHARED):
            yield self._incoming("sales", self._on(now, 1 + n * 11), ("БЦ «Заря»", SHARED_OFFICE), topic, text)
        for n, (topic, text) in enumerate(other.SPAM):
            yield self._incoming("sales", self._on(now, 2 + n * 5), ("", f"win{n}@lucky.example"), topic, text, JUNK)
        yield self._liar(self._on(now, 3))
        yield from self._bounced(self._on(now, 5), "Приглашение на семинар", "opt@uyut-dom.example")
        yield from self._bounced(self._on(now, 16), "Счёт за обслуживание", "buhgalteria@teplyugol.example")
        for n, (topic, text) in enumerate(other.DRAFTS):
            at = self._on(now, 1 + n)
            draft = self._letter(at, ("", MAILBOXES["sales"][1]), ("", "buyer@draft.example"), topic, text)
            yield Mail("sales", DRAFTS, compose(draft), at, True)
        old = ("Рекламное агентство", "promo@shum-i-blesk.example")
        yield self._incoming("sales", self._on(now, 9), old, "Баннеры со скидкой", "Только сегодня!", TRASH)

    def _liar(self, at: datetime) -> Mail:
        topic, text = other.LYING
        person = next(one for one in PERSONS if one.ref == "tkachuk")
        letter = self._letter(at, (person.name, person.email), ("", MAILBOXES["sales"][1]), topic, _joined(text))
        return Mail("sales", INBOX, lying(replace(letter, charset="windows-1251")), at)

    def _bounced(self, at: datetime, topic: str, failed: str) -> Iterator[Mail]:
        """A letter of ours to an address that is no more, and the report of it."""
        name, address, _ = MAILBOXES["sales"]
        text = _joined(other.LOST)
        ours = self._letter(at, (name, address), ("", failed), topic, text)
        yield Mail("sales", SENT, compose(ours), at, True)
        robot = ("Mail Delivery System", f"mailer-daemon@{address.partition('@')[2]}")
        report = self._letter(at + timedelta(seconds=40), robot, ("", address), other.BOUNCE_TOPIC, other.BOUNCE)
        headers = {"Return-Path": "<>", "Auto-Submitted": "auto-replied"}
        report = replace(report, text=report.text.replace("ADDRESS", failed), headers=headers)
        yield Mail("sales", INBOX, bounce(report, ("", failed), ours), at + timedelta(seconds=41))


def _joined(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
