"""What a sample correspondence consists of, how its texts are read, and how they get their names, sums and days.

The texts lie in `texts/*.ru.txt` and `texts/*.en.txt`. A story has a role that the other side plays, one of our
mailboxes, a topic and lines; a line is one mail: of `them`, of `us` (who looks after them) or of one of us by key, so
many working hours after the one before, with attachments that `files.make` knows:

    === buyer | sales
    Счёт № {invoice}
    --- them +0 : card
    {hi}

    В счёте № {invoice} указан старый адрес …

An empty line parts paragraphs. Slots in braces:

    {goods} {sum} {hi} …      a word of this correspondence (`Slots.words`)
    {day+3} {wd+3} {Wd+3}     the third working day after the mail: "18 ноября", "в среду", "В среду"
    {wd@a+3}                  the same, and from then on in this correspondence: the day that was agreed on
    {any|one|another}         one of several ways to say it
    {g|получил|получила}      by the gender of who writes

Everything comes from the random generator that is passed in, so the same seed tells the same stories.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib import resources

_SLOT = re.compile(r"\{([^{}]*)\}")
_DATE_SLOT = re.compile(r"(day|wd|Wd)(@[a-z])?\+([0-9]{1,2})")
_MONTHS_RU = (
    "января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября",
    "декабря",
)  # fmt: skip
_MONTHS_EN = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS_RU = ("в понедельник", "во вторник", "в среду", "в четверг", "в пятницу", "в субботу", "в воскресенье")
_DAYS_EN = ("on Monday", "on Tuesday", "on Wednesday", "on Thursday", "on Friday", "on Saturday", "on Sunday")


@dataclass(frozen=True, slots=True)
class Line:
    """One mail. See the module."""

    by: str
    after: float
    text: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """A correspondence with somebody of a `role`, in one of our mailboxes."""

    role: str
    mailbox: str
    language: str
    topic: str
    lines: tuple[Line, ...]


def read_stories(name: str) -> tuple[Story, ...]:
    """The stories of a file such as `sales.ru`."""
    text = (resources.files("daemon.demo") / "texts" / f"{name}.txt").read_text("utf-8")
    language = name.rpartition(".")[2]
    return tuple(_story(part, language) for part in re.split(r"^=== ", text, flags=re.MULTILINE)[1:])


def _story(text: str, language: str) -> Story:
    head, *parts = re.split(r"^--- ", text, flags=re.MULTILINE)
    first, topic = head.strip().splitlines()
    role, _, mailbox = first.partition(" | ")
    return Story(role, mailbox, language, topic, tuple(map(_line, parts)))


def _line(text: str) -> Line:
    head, _, body = text.partition("\n")
    who, _, files = head.partition(" : ")
    by, _, after = who.partition(" +")
    return Line(by, float(after), body.strip(), tuple(files.split()))


@dataclass(frozen=True, slots=True)
class Goods:
    """A kind of goods in the forms that Russian needs: many, of many, one, one as an object; and in English."""

    article: str
    many: str
    of_many: str
    one: str
    one_object: str
    many_en: str
    one_en: str
    price: int


CATALOGUE = (
    Goods("VL-17", "электрочайники «Волна» 1,7 л", "электрочайников «Волна» 1,7 л", "электрочайник «Волна»",
          "электрочайник «Волна»", "Volna kettles 1.7 l", "Volna kettle", 1490),
    Goods("HR-2", "тостеры «Хруст»", "тостеров «Хруст»", "тостер «Хруст»", "тостер «Хруст»", "Khrust toasters",
          "Khrust toaster", 1980),
    Goods("PL-20", "микроволновые печи «Полюс» 20 л", "микроволновых печей «Полюс» 20 л", "микроволновая печь «Полюс»",
          "микроволновую печь «Полюс»", "Polyus microwave ovens 20 l", "Polyus microwave oven", 5640),
    Goods("BR-16", "пылесосы «Бриз» 1600 Вт", "пылесосов «Бриз» 1600 Вт", "пылесос «Бриз»", "пылесос «Бриз»",
          "Briz vacuum cleaners 1600 W", "Briz vacuum cleaner", 4870),
    Goods("GL-24", "утюги «Гладь»", "утюгов «Гладь»", "утюг «Гладь»", "утюг «Гладь»", "Glad steam irons",
          "Glad steam iron", 2150),
    Goods("KU-5", "мясорубки «Кухня-5»", "мясорубок «Кухня-5»", "мясорубка «Кухня-5»", "мясорубку «Кухня-5»",
          "Kukhnya-5 meat grinders", "Kukhnya-5 meat grinder", 6320),
    Goods("VH-8", "блендеры «Вихрь»", "блендеров «Вихрь»", "блендер «Вихрь»", "блендер «Вихрь»", "Vikhr blenders",
          "Vikhr blender", 2790),
    Goods("SR-50", "фены «Сирокко»", "фенов «Сирокко»", "фен «Сирокко»", "фен «Сирокко»", "Sirocco hair dryers",
          "Sirocco hair dryer", 1650),
    Goods("KR-12", "хлебопечки «Каравай»", "хлебопечек «Каравай»", "хлебопечка «Каравай»", "хлебопечку «Каравай»",
          "Karavai bread makers", "Karavai bread maker", 6990),
    Goods("OC-15", "обогреватели «Очаг» 1,5 кВт", "обогревателей «Очаг» 1,5 кВт", "обогреватель «Очаг»",
          "обогреватель «Очаг»", "Ochag heaters 1.5 kW", "Ochag heater", 3240),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slots:
    """What stands in the slots of one mail. `agreed` are the days that the correspondence came to agree on."""

    words: Mapping[str, str]
    on: date
    language: str = "ru"
    writer_is_female: bool = False
    agreed: dict[str, date] = field(default_factory=dict)


def fill(text: str, slots: Slots, rng: random.Random) -> str:
    """A text with its slots filled, and its lines joined to paragraphs: an empty line parts them. Raises KeyError for a
    slot that is no word of ours."""

    def one(found: re.Match[str]) -> str:
        name, *ways = str(found[1]).split("|")
        if name == "any":
            return rng.choice(ways)
        if name == "g":
            return ways[slots.writer_is_female]
        date_slot = _DATE_SLOT.fullmatch(name)
        if date_slot is not None:
            kind, label, days = date_slot.groups()
            day = workday(slots.on, int(days))
            if label:
                day = slots.agreed.setdefault(label, day)
            said = say_day(day, slots.language) if kind == "day" else _day_of_week(day, slots.language)
            return _begun(said) if kind == "Wd" else said
        return slots.words[name]

    before = ""
    while before != text:  # a choice may have slots in it
        before, text = text, _SLOT.sub(one, text)
    return "\n\n".join(_begun(joined_lines(part)) for part in text.strip().split("\n\n"))


def joined_lines(paragraph: str) -> str:
    """A paragraph on one line, but for lists: their lines begin with a dash, a digit and a bracket, or a quote."""
    done = ""
    for line in paragraph.splitlines():
        clean = line.strip()
        is_item = clean.startswith(("— ", "- ")) or re.match(r"\d+[.)] ", clean) is not None
        done += ("\n" if is_item else " ") + clean if done else clean
    return done


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


def workday(start: date, days: int) -> date:
    """The day so many working days later; 0 is the day itself or the next one that people work on."""
    day = start
    while day.weekday() > 4:
        day += timedelta(days=1)
    for _ in range(days):
        day += timedelta(days=1)
        while day.weekday() > 4:
            day += timedelta(days=1)
    return day


def say_day(day: date, language: str) -> str:
    """`18 ноября`, `18 November`."""
    return f"{day.day} {(_MONTHS_RU if language == 'ru' else _MONTHS_EN)[day.month - 1]}"


def _day_of_week(day: date, language: str) -> str:
    return (_DAYS_RU if language == "ru" else _DAYS_EN)[day.weekday()]


def say_sum(amount: int, language: str) -> str:
    """`149 000` in Russian, `149,000` in English."""
    return f"{amount:,}".replace(",", " ") if language == "ru" else f"{amount:,}"
