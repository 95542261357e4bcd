"""Contact lists as people keep them: CSV bytes → rows, and the rows that were refused with the reason.

Nothing is asked about the file. UTF-8 and UTF-16 are known by their mark or their look, else it is windows-1251, which is
what Excel writes in Russia; the delimiter (; , or tab) is the one by which most names of the first line are known. The
names may be Russian or English, numbered ("Телефон 2", "E-mail 1 - Value") and in any order; what is not known is left
out and said so in `ignored`.

A cell may hold several addresses, each with a label in its own words:

    8(495)6329816, 6329817 (факс)      two numbers, the second labelled; it takes the code in brackets of the first
    89161234567 Иван                   a number labelled "Иван"
    факс: 632-98-16 доб. 12            an extension stays with its number
    Иван <ivan@x.example>; b@x.example two e-mails

Every bound is named below. The only error is `UnreadableFile`: what is said of a file as a whole.

Workbooks are read by `workbooks`, cards by `vcards`. Limits: `632-98-16/17` (two numbers that share their beginning) stays one piece, which is no number.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from interactions.addresses import clean_name, email_key, parse_addresses
from interactions.contacts import ContactKind
from interactions.search import fold

FILE_BYTES_MAX = 32_000_000
ROWS_MAX = 200_000
COLUMNS_MAX = 200
CELL_CHARS_MAX = 10_000
ADDRESSES_MAX = 50  # in one cell
LABEL_CHARS_MAX = 100
GUESS_CHARS = 64_000
UNCLOSED_MAX = 50  # quotes that are not closed; each makes what follows be read again
DELIMITERS = ";,\t"


class UnreadableFile(Exception):
    """The file as a whole can't be read; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Written:
    """An address as it was written, and the words beside it."""

    address: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class ContactRow:
    """One contact of the file. Empty: the file says nothing of it. `partner` is a name, `responsible` an e-mail."""

    line: int
    name: str
    kind: ContactKind | None = None
    emails: tuple[Written, ...] = ()
    phones: tuple[Written, ...] = ()
    partner: str = ""
    partner_ref: str = ""
    external_ref: str = ""
    inn: str = ""
    kpp: str = ""
    domains: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    comment: str = ""
    responsible: str = ""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that is left out."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ContactFile:
    """What a file holds, and how it was read."""

    rows: tuple[ContactRow, ...]
    refused: tuple[RefusedRow, ...]
    ignored: tuple[str, ...]
    encoding: str
    delimiter: str


_NAMES = frozenset({"name", "first", "last"})
# By field the names of its column, as `_plain` leaves them; a field with a colon gives its label to the addresses.
_COLUMNS: Mapping[str, str] = {
    "name": "name|full name|display name|contact name|наименование|наименование контакта|название|фио|полное имя|"
    "контакт|клиент|рабочее наименование|публичное наименование|наименование партнера",
    "first": "first name|given name|имя",
    "middle": "middle name|additional name|отчество",
    "last": "last name|surname|family name|фамилия",
    "kind": "kind|type|вид|тип|вид контакта|тип контакта",
    "email": "email|e mail|emails|e mails|mail|email address|e mail address|почта|электронная почта|"
    "адрес электронной почты|эл почта|адрес эл почты|имейл|емейл",
    "phone": "phone|phones|phone number|telephone|tel|телефон|телефоны|тел|номер|номер телефона|контактный телефон",
    "phone:mobile": "mobile|mobile phone|cell|cell phone",
    "phone:work": "work phone|business phone|office phone",
    "phone:home": "home phone",
    "phone:fax": "fax|business fax",
    "phone:мобильный": "мобильный|мобильный телефон|сотовый|сотовый телефон|моб|моб тел",
    "phone:рабочий": "рабочий телефон|рабочий|служебный телефон|офисный телефон",
    "phone:домашний": "домашний телефон|домашний",
    "phone:факс": "факс",
    "partner": "partner|company|organization|organisation|organization name|партнер|компания|организация|контрагент|"
    "владелец|место работы",
    "partner_ref": "partner ref|partner external ref|partner id|company id|код партнера|код компании|код организации|"
    "код контрагента",
    "external_ref": "external ref|external id|id|ref|code|guid|код|внешний код|ссылка|идентификатор|"
    "уникальный идентификатор",
    "inn": "inn|tax id|vat id|инн",
    "kpp": "kpp|кпп",
    "domains": "domain|domains|домен|домены",
    "tags": "tag|tags|labels|categories|тег|теги|метка|метки|категории",
    "comment": "comment|comments|note|notes|комментарий|комментарии|примечание|примечания|заметки",
    "responsible": "responsible|manager|owner|ответственный|менеджер|основной менеджер",
}
_FIELD_OF = {name: field for field, known in _COLUMNS.items() for name in known.split("|")}
_KINDS: Mapping[ContactKind, str] = {
    ContactKind.PARTNER: "partner|company|organization|organisation|партнер|компания|организация|юридическое лицо|"
    "юр лицо|юрлицо|контрагент",
    ContactKind.CONTACT_PERSON: "contact person|person|contact|контактное лицо|контакт|сотрудник партнера",
    ContactKind.INDIVIDUAL: "individual|физическое лицо|физ лицо|физлицо|частное лицо",
    ContactKind.USER: "user|colleague|пользователь|сотрудник",
}
_KIND_OF = {name: kind for kind, known in _KINDS.items() for name in known.split("|")}
_NOT_WORD = re.compile(r"[\W_]+")
_NUMBERED = re.compile(r"^\d+ | \d+(?= |$)|(?<=[^\W\d_])\d{1,2}$")
_ENDING = re.compile(r" (?:value|значение)$")


def headings(given: Mapping[str, str]) -> Mapping[str, str]:
    """What a person says of columns: heading → field, "" to leave it out. Raises UnreadableFile for no field."""
    for heading, field in given.items():
        if field and field not in _COLUMNS:
            raise UnreadableFile(
                f"The column {heading!r} is said to be {field!r}; there are {', '.join(sorted(_COLUMNS))}."
            )
    return _FIELD_OF | {_plain(heading): field for heading, field in given.items()}


def read(data: bytes, fields: Mapping[str, str] = _FIELD_OF) -> ContactFile:
    """Reads a file; `fields` by heading, as `headings` gives them. Raises UnreadableFile, and nothing else."""
    if len(data) > FILE_BYTES_MAX:
        raise UnreadableFile(f"The file is larger than {FILE_BYTES_MAX // 1_000_000} MB; cut it into several.")
    text, encoding = decode(data)
    told, text = _told_delimiter(text)
    delimiter = told or _guess_delimiter(text, fields)
    records = _records(text, delimiter, 2 if told else 1)
    header = next(records, (0, ""))[1]
    return read_table(header if isinstance(header, list) else [], records, fields, encoding, delimiter)


def read_table(
    header: Sequence[str],
    records: Iterable[tuple[int, list[str] | str]],
    fields: Mapping[str, str],
    encoding: str,
    delimiter: str,
) -> ContactFile:
    """Reads records beneath a header: each its line and its cells, or why it has none. Raises UnreadableFile."""
    columns = _columns(header[:COLUMNS_MAX], fields)
    rows: list[ContactRow] = []
    refused: list[RefusedRow] = []
    for line, cells in records:
        if isinstance(cells, str):
            refused.append(RefusedRow(line, cells))
        elif any(cell.strip() for cell in cells):
            found = _row(line, cells, columns)
            if isinstance(found, ContactRow):
                rows.append(found)
            else:
                refused.append(found)
        if len(rows) + len(refused) > ROWS_MAX:
            raise UnreadableFile(f"The file has more than {ROWS_MAX} rows; cut it into several.")
    ignored = tuple(cell.strip() for n, cell in enumerate(header) if cell.strip() and n not in columns)
    return ContactFile(tuple(rows), tuple(refused), ignored, encoding, delimiter)


def names_columns(cells: Sequence[str], fields: Mapping[str, str]) -> bool:
    """Whether these are headings of a contact list: one of them is that of the name."""
    found = {fields.get(_plain(cell)) for cell in cells[:COLUMNS_MAX] if cell}
    return not found.isdisjoint(_NAMES)


def decode(data: bytes) -> tuple[str, str]:
    """The text of a list, and how it was encoded. Raises UnreadableFile."""
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise UnreadableFile(
            "This is a file of an office program that I can't read; save the list there as .xlsx or as CSV and give me that."
        )
    if data.startswith(codecs.BOM_UTF8):
        text, encoding = data.decode("utf-8-sig", "replace"), "utf-8"
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text, encoding = data.decode("utf-16", "replace"), "utf-16"
    elif 0 in data[:400]:  # half of a delimiter, a space or a line end in UTF-16
        encoding = "utf-16-le" if data[1:400:2].count(0) >= data[0:400:2].count(0) else "utf-16-be"
        text = data.decode(encoding, "replace")
    else:
        try:
            text, encoding = data.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            text, encoding = data.decode("cp1251", "replace"), "windows-1251"
    if "\0" in text:
        raise UnreadableFile("The file is not text; save the list as CSV (UTF-8) and give me that.")
    return text, encoding


def _told_delimiter(text: str) -> tuple[str, str]:
    """Excel's own first line, `sep=;`, and what follows it."""
    first, _, rest = text.partition("\n")
    told = re.fullmatch(r'"?sep=([;,\t])"?\s*', first, re.IGNORECASE)
    return (told.group(1), rest) if told else ("", text)


def _guess_delimiter(text: str, fields: Mapping[str, str]) -> str:
    def known(delimiter: str) -> tuple[int, int]:
        _, header = next(_records(text[:GUESS_CHARS], delimiter, 1), (0, ""))
        found = [fields.get(_plain(cell)) for cell in header if cell] if isinstance(header, list) else []
        return sum(field is not None for field in found), len(found)

    return max(DELIMITERS, key=known)


def _records(text: str, delimiter: str, line: int) -> Iterator[tuple[int, list[str] | str]]:
    """The records with the line each begins at, or why one can't be read. Reading goes on after it."""
    lines, begun, unclosed = io.StringIO(text, newline="").readlines(), 0, 0
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        first = begun + reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield first + line, "a quote is not closed, or the row is too long"
            continue
        end = begun + reader.line_num
        if end == len(lines) > first + 1 and unclosed < UNCLOSED_MAX and _is_unclosed(lines[first:end]):
            # It has taken all that follows: only its own line is wrong.
            yield first + line, "a quote is not closed"
            begun, unclosed = first + 1, unclosed + 1
            reader = csv.reader(lines[begun:], delimiter=delimiter)
        else:
            yield first + line, cells


def _is_unclosed(lines: Sequence[str]) -> bool:
    return sum(one.count('"') for one in lines) % 2 == 1


def _plain(text: str) -> str:
    """A heading without case, signs, numbers and the endings that address books add."""
    words = " ".join(_NOT_WORD.sub(" ", fold(text[:LABEL_CHARS_MAX])).split())
    return _ENDING.sub("", _NUMBERED.sub("", words).strip())


def _columns(header: Sequence[str], fields: Mapping[str, str]) -> dict[int, str]:
    found = {n: field for n, cell in enumerate(header) if (field := fields.get(_plain(cell)))}
    if _NAMES.isdisjoint(found.values()):
        shown = ", ".join(cell.strip()[:30] for cell in header[:10] if cell.strip())
        raise UnreadableFile(
            "The first line must name the columns, one of them the name "
            f"(name, Наименование, ФИО; beside it kind, email, phone, partner, external_ref …). It reads: {shown}"
        )
    return found


def _row(line: int, cells: Sequence[str], columns: Mapping[int, str]) -> ContactRow | RefusedRow:
    if len(cells) > COLUMNS_MAX:
        return RefusedRow(line, f"more than {COLUMNS_MAX} columns")
    texts: dict[str, list[str]] = {}
    emails: list[Written] = []
    phones: list[Written] = []
    for n, field in columns.items():
        cell = cells[n].strip() if n < len(cells) else ""
        if len(cell) > CELL_CHARS_MAX:
            return RefusedRow(line, f"a cell longer than {CELL_CHARS_MAX} characters")
        kind, _, label = field.partition(":")
        if kind == "email":
            emails += split_emails(cell)
        elif kind == "phone":
            phones += [Written(one.address, one.label or label) for one in split_phones(cell)]
        elif cell:
            texts.setdefault(kind, []).append(cell)
    return _contact(line, {field: " ".join(some) for field, some in texts.items()}, tuple(emails), tuple(phones))


def _contact(
    line: int, texts: Mapping[str, str], emails: tuple[Written, ...], phones: tuple[Written, ...]
) -> ContactRow | RefusedRow:
    parts = " ".join(texts[part] for part in ("last", "first", "middle") if part in texts)
    name = clean_name(texts.get("name") or parts)
    if not name:
        return RefusedRow(line, "no name")
    kind = None
    if "kind" in texts:
        kind = _KIND_OF.get(_plain(texts["kind"]))
        if kind is None:
            known = ", ".join(one.value for one in ContactKind)
            return RefusedRow(line, f"no kind of contact is called {texts['kind'][:40]!r}; there are {known}")
    return ContactRow(
        line, name, kind, emails, phones,
        partner=clean_name(texts.get("partner", "")),
        partner_ref=texts.get("partner_ref", ""),
        external_ref=texts.get("external_ref", ""),
        inn=texts.get("inn", ""),
        kpp=texts.get("kpp", ""),
        domains=tuple(one for one in re.split(r"[,;\s]+", texts.get("domains", "")) if one),
        tags=tuple(one.strip() for one in re.split(r"[,;|\n]", texts.get("tags", "")) if one.strip()),
        comment=texts.get("comment", ""),
        responsible=texts.get("responsible", ""),
    )  # fmt: skip


def split_emails(cell: str) -> list[Written]:
    """The e-mails of a cell. What can't be one is kept as it is, for whoever checks it to refuse."""
    text = re.sub(r"[\n|]", ",", cell)
    found = [Written(one.address, one.display_name[:LABEL_CHARS_MAX]) for one in parse_addresses(text).mailboxes]
    if any(email_key(one.address) is None for one in found):
        words = [word for word in re.split(r"[\s,;]+", text) if word]
        if all(email_key(word) for word in words):
            found = [Written(word) for word in words]
    return found[:ADDRESSES_MAX]


_GAP = r"[^\S\n]"
_DIGITS = rf"(?:\({_GAP}{{0,2}}\d{{1,6}}{_GAP}{{0,2}}\)|\d)"
_EXTENSION = rf"(?:{_GAP}|,){{0,3}}(?:доб|вн|ext|extn|x|#)[а-я]{{0,7}}[.:]?{_GAP}{{0,2}}\d{{1,6}}"
_PHONE = re.compile(rf"\+?{_DIGITS}(?:(?:{_GAP}|[\-–—‑.~/]){{0,3}}{_DIGITS})*(?:{_EXTENSION})?", re.IGNORECASE)
_CODE = re.compile(r"^\D{0,3}\d{0,2}\s{0,2}\(\s{0,2}\d{3,5}\s{0,2}\)")
_STOPS = re.compile(r"[,;|\n]")
_EDGES = " \t.,:;-–—()[]<>/"
NUMBER_DIGITS_MIN = 3  # fewer are a word of the label
NUMBER_DIGITS_MAX = 15  # E.164
PHONE_CHARS_MAX = 100


def split_phones(cell: str) -> list[Written]:
    """The numbers of a cell, each with the words beside it. Words alone are kept, for whoever checks them to refuse."""
    spans = [one.span() for one in _PHONE.finditer(cell) if _digits(one.group()) >= NUMBER_DIGITS_MIN]
    spans = [part for span in spans for part in _parted(cell, *span)][:ADDRESSES_MAX]
    if not spans:
        return [Written(cell)] if cell.strip() else []
    labels: list[list[str]] = [[] for _ in spans]
    ends = [0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), len(cell)]
    for n, (end, start) in enumerate(zip(ends, starts, strict=True)):
        words = cell[end:start]
        if n == 0:
            labels[0].append(words)
        elif n == len(spans):
            labels[-1].append(words)
        else:  # what stands before a comma belongs to the number on the left, what follows it to the one on the right
            left, *right = _STOPS.split(words, maxsplit=1)
            labels[n - 1].append(left)
            labels[n].extend(right)
    found: list[Written] = []
    code, code_digits = "", 0
    for (start, end), words_of in zip(spans, labels, strict=True):
        number = cell[start:end]
        if (opening := _CODE.match(number)) is not None:
            code, code_digits = opening.group(), _digits(number) - _digits(opening.group())
        elif code and _digits(number) == code_digits:
            number = code + number
        label = " ".join(word for one in words_of if (word := " ".join(one.split()).strip(_EDGES)))
        found.append(Written(number, label[:LABEL_CHARS_MAX]))
    return found


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _parted(cell: str, start: int, end: int) -> list[tuple[int, int]]:
    """Two numbers with nothing but a space or stroke between them, as two; everything else as one."""
    if end - start > PHONE_CHARS_MAX:
        return [(start, end)]
    total = _digits(cell[start:end])
    for n in range(start + 1, end - 1):
        left = _digits(cell[start:n])
        whole = left >= 5 and total - left >= 5
        if (cell[n] == "/" and whole) or (cell[n].isspace() and total > NUMBER_DIGITS_MAX and left * 2 == total):
            return [(start, n), (n + 1, end)]
    return [(start, end)]
