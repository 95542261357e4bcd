"""One correspondence as it goes on: a story, the people in it, and each next letter.

A letter answers the one before: In-Reply-To and References as RFC 5322 §3.6.4 has them, the topic with Re:, the text of
the letter before below. Our side writes from its own addresses and answers are asked for to the mailbox; customers
write to the mailbox or to one of its aliases. `next_line` tells who writes next and how many working hours later.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone

from daemon.demo import files
from daemon.demo.letters import Address, Letter
from daemon.demo.people import COMPANY_EN, COMPANY_RU, DOMAIN, PARTNER_BY_REF, USER_BY_KEY, USERS, Person, User
from daemon.demo.stories import CATALOGUE, Goods, Line, Slots, Story, fill, say_day, say_sum, workday

MOSCOW = timezone(timedelta(hours=3))
DAY_BEGINS = time(9, 10)
DAY_ENDS = time(18, 40)
# Mailbox → the name it writes under, its address, and the aliases that customers know.
MAILBOXES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "sales": ("Ромашка — отдел продаж", f"sales@{DOMAIN}", (f"shop@{DOMAIN}",)),
    "service": ("Ромашка — служба сервиса", f"service@{DOMAIN}", ()),
}
_MONTHS_RU = (
    "январь", "февраль", "март", "апрель", "май", "июнь", "июль", "август", "сентябрь", "октябрь", "ноябрь", "декабрь",
)  # fmt: skip
_QUARTERS = ("I", "II", "III", "IV")
_CITIES = ("Казань", "Тверь", "Тула", "Екатеринбург", "Самара", "Пермь")
_TRIPS_TO = ("Казань", "Тверь", "Тулу", "Самару", "Пермь")
_DRIVERS = ("Сергей", "Ринат", "Николай Палыч", "Женя", "Вадим", "Степан")
_PLATE_LETTERS = "АВЕКМНОРСТУХ"


@dataclass(slots=True)
class Posted:
    """A letter on its way: into which mailbox, and whether it is ours."""

    mailbox: str
    letter: Letter
    is_ours: bool


@dataclass(slots=True)
class Correspondence:
    """See the module. `number` makes ids and order numbers differ."""

    story: Story
    person: Person
    number: int
    rng: random.Random
    began: date
    position: int = 0
    words: dict[str, str] = field(default_factory=dict)
    topic: str = ""
    agreed: dict[str, date] = field(default_factory=dict)
    last: Letter | None = None
    last_user: User = USERS[0]

    def __post_init__(self) -> None:
        self.words = words_of(self.rng, self.number, self.began, self.person)
        self.last_user = self._user(self.story.lines[0].by)
        self.topic = fill(
            self.story.topic, Slots(self.words, self.began, self.story.language, agreed=self.agreed), self.rng
        )

    @property
    def next_line(self) -> Line | None:
        """Who writes next, or None: all is said."""
        lines = self.story.lines
        return lines[self.position] if self.position < len(lines) else None

    @property
    def is_among_us(self) -> bool:
        return self.story.role == "colleague"

    def next_letter(self, at: datetime) -> Posted:
        """The next letter, sent at that moment. There must be one."""
        line = self.story.lines[self.position]
        is_ours = line.by != "them"
        if is_ours:
            self.last_user = self._user(line.by)
        letter = self._letter(line, at.replace(microsecond=0), is_ours)
        self.position += 1
        self.last = letter
        return Posted(self.story.mailbox, letter, is_ours)

    def _user(self, by: str) -> User:
        if by in USER_BY_KEY:
            return USER_BY_KEY[by]
        return USER_BY_KEY["vera" if self.story.mailbox == "service" else self.person.manager]

    def _letter(self, line: Line, at: datetime, is_ours: bool) -> Letter:
        before = self.last
        sender, to = self._sides(is_ours)
        name, address, _ = MAILBOXES[self.story.mailbox]
        reply_to = (name, address) if is_ours and sender[1] != address and not self.is_among_us else None
        references = (*before.references, before.message_id) if before else ()
        text = self._text(line, at, is_ours)
        return Letter(
            message_id=f"{at.astimezone(UTC):%Y%m%d%H%M%S}.{self.number}.{self.position}@{sender[1].partition('@')[2]}",
            sent_at=at.astimezone(MOSCOW if is_ours or self.story.language == "ru" else UTC),
            sender=sender,
            to=to,
            reply_to=reply_to,
            topic=f"Re: {self.topic}" if before else self.topic,
            text=text,
            signature=self._signature(is_ours, short=before is not None and self.rng.random() < 0.5),
            quoted=(self._attribution(before), before.text) if before else None,
            in_reply_to=before.message_id if before else "",
            references=references,
            charset="utf-8" if is_ours else self.person.charset,
            with_html="inline" in line.files or is_ours or self.person.writes_html,
            files=[files.make(kind, self.words, self.story.language, self.rng) for kind in line.files],
        )

    def _sides(self, is_ours: bool) -> tuple[Address, list[Address]]:
        user = self.last_user
        name, address, aliases = MAILBOXES[self.story.mailbox]
        own = user.name_en if self.story.language == "en" else user.called
        ours = (own, user.email) if user.key != "vera" else (f"{own} — Ромашка", address)
        if self.is_among_us:
            return (own, user.email), [(name, address)]
        them = (self.person.name, self.person.email)
        if is_ours:
            return ours, [them]
        alias = self.rng.choice(aliases) if aliases and self.last is None and self.rng.random() < 0.25 else address
        return them, [(name if self.last else "", alias)]

    def _text(self, line: Line, at: datetime, is_ours: bool) -> str:
        user, person = self.last_user, self.person
        language = self.story.language
        reader = person.called if is_ours else (user.called_en if language == "en" else user.called.split()[0])
        greetings = [f"{reader}, добрый день!", f"{reader}, здравствуйте!", f"Здравствуйте, {reader}!"]
        if language == "en":
            greetings = [f"Hi {reader},"] if self.last else [f"Hi {reader},", f"Dear {reader},", f"Hello {reader},"]
        words = {**self.words, "name": reader, "user": user.called_en if language == "en" else user.called.split()[0]}
        words["hi"] = self.rng.choice(greetings)
        writer = user if is_ours else person
        day = at.astimezone(MOSCOW).date()
        slots = Slots(words, day, language, writer.is_female, self.agreed)
        return fill(line.text, slots, self.rng)

    def _signature(self, is_ours: bool, short: bool) -> str:
        user, person = self.last_user, self.person
        if self.story.language == "en":
            if is_ours:
                rest = f"\n{user.position_en}\n{COMPANY_EN}, +7 (495) 632-40-00, ext. {user.extension}"
                return f"Best regards,\n{user.name_en}" + ("" if short else rest)
            return f"{'Best' if short else 'Kind regards'},\n{person.name}" + ("" if short else _work(person))
        if is_ours:
            rest = f", {user.position}\n{COMPANY_RU}, +7 (495) 632-40-00, доб. {user.extension}"
            return f"С уважением,\n{user.called}" + ("" if short else rest)
        if not person.partner:
            return "" if short else person.name.split()[0]
        return f"С уважением,\n{person.name}" + ("" if short else _work(person))

    def _attribution(self, before: Letter) -> str:
        name, at = before.sender[0], before.sent_at
        if self.story.language == "en":
            return f"On {say_day(at.date(), 'en')} {at.year} at {at:%H:%M}, {name} wrote:"
        return f"{at:%d.%m.%Y} {at:%H:%M}, {name} пишет:"


def _work(person: Person) -> str:
    partner = PARTNER_BY_REF[person.partner].name if person.partner else ""
    lines = [", ".join(filter(None, (person.position, partner))), person.phones[0]]
    return "".join(f"\n{line}" for line in lines if line)


def words_of(rng: random.Random, number: int, began: date, person: Person | None = None) -> dict[str, str]:
    """Goods, numbers, sums and names for the slots of one correspondence."""
    first, second = rng.sample(CATALOGUE, 2)
    language = person.language if person else "ru"
    qty, qty2 = rng.randrange(4, 25) * 5, rng.randrange(2, 12) * 5
    city = PARTNER_BY_REF[person.partner].city if person and person.partner else ""
    plate = f"{rng.choice(_PLATE_LETTERS)} {rng.randrange(100, 1000)} " + "".join(rng.sample(_PLATE_LETTERS, 2))
    return {
        **_goods(first, second, qty, qty2, language),
        "qty3": str(rng.randrange(3, 10)),
        "sum4": say_sum(rng.randrange(28, 61) * 1000, "ru"),
        "eur": f"{first.price / 90:.2f}",
        "eursum4": say_sum(rng.randrange(21, 39) * 100, "en"),
        "order": str(1480 + number * 3),
        "invoice": str(2215 + number * 2),
        "contract": f"{rng.randrange(12, 90)}/{began.year % 100}",
        "month": _MONTHS_RU[began.month % 12],
        "last_month": _MONTHS_RU[began.month - 2],
        "quarter": f"{_QUARTERS[((began.month - 1) // 3 - 1) % 4]} квартал",
        "city": city if city not in ("", "Москва") else rng.choice(_CITIES),
        "trip_to": rng.choice(_TRIPS_TO),
        "plate": plate,
        "driver": rng.choice(_DRIVERS),
        "serial": f"{rng.randrange(10, 99)}K{rng.randrange(10_000, 99_999)}",
        "track": f"RM{rng.randrange(10**7, 10**8)}",
        "time": f"{rng.randrange(10, 17)}:{rng.choice(('00', '30'))}",
        "photo": str(rng.randrange(1000, 9999)),
    }


def _goods(first: Goods, second: Goods, qty: int, qty2: int, language: str) -> dict[str, str]:
    total, total2 = first.price * qty, second.price * qty2
    return {
        "goods": first.many, "goods_of": first.of_many, "one": first.one, "one_obj": first.one_object,
        "one_en": first.one_en, "goods_en": first.many_en, "art": first.article, "qty": str(qty),
        "price": say_sum(first.price, language), "sum": say_sum(total, language),
        "goods2": second.many, "goods2_of": second.of_many, "one2": second.one, "goods2_en": second.many_en,
        "art2": second.article, "qty2": str(qty2), "price2": say_sum(second.price, language),
        "sum2": say_sum(total2, language), "total": say_sum(total + total2, language),
    }  # fmt: skip


def after_working_hours(start: datetime, hours: float) -> datetime:
    """The moment so many working hours later, by the clock of Moscow."""
    at = _at_work(start.astimezone(MOSCOW))
    left = timedelta(hours=hours)
    while True:
        ends = datetime.combine(at.date(), DAY_ENDS, MOSCOW)
        if at + left <= ends:
            return at + left
        left -= ends - at
        at = datetime.combine(workday(at.date(), 1), DAY_BEGINS, MOSCOW)


def _at_work(at: datetime) -> datetime:
    day = workday(at.date(), 0)
    if day != at.date() or at.time() < DAY_BEGINS:
        return datetime.combine(day, max(DAY_BEGINS, at.time()) if day == at.date() else DAY_BEGINS, MOSCOW)
    return at if at.time() < DAY_ENDS else datetime.combine(workday(day, 1), DAY_BEGINS, MOSCOW)
