"""Phone numbers in one canonical form: E.164 where the number is valid in its country, else exactly what was dialled.

Order of the tests, each before the parser would misread what it stands for:

    sip:, tel:            the user part
    withheld words        anonymous, unknown, … and their keypad spellings: nobody, no key
    letters               a sender name of an SMS (2GIS, not 2); compared as a whole, folded. Longer texts may
                          hold a number: `тел. (495) 6329816`
    six digits and fewer  an extension or short code; compared as a whole, never as the end of a longer number
    00…, 8-10…            Russia dials out with 8-10 but trunks often send 00: the plus form where that is valid
    the rest              `phonenumbers` with the default region; only *valid* numbers become E.164

A number that is possible but not valid stays a key of kind OTHER, so that its interactions are found together, and is
never completed by guessing an area code. Extensions are split off.
"""

import re
import unicodedata
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat

from interactions.records import AddressKind, Key

NUMBER_CHARS_MAX = 128
EXTENSION_DIGITS_MAX = 6
SENDER_CHARS_MAX = 11  # of an alphanumeric sender (GSM 03.40 §9.1.2.5)

_WITHHELD = frozenset(
    "anonymous unknown restricted private unavailable withheld blocked asserted invalid hidden none null "
    "anonymous@anonymous.invalid +266696687 266696687 +7378742833 7378742833 +2562533 2562533 +8566696 8566696 "
    "+86282452253 86282452253".split()
) | {"no number", "скрыт", "скрытый", "номер скрыт", "аноним"}
_URI = re.compile(r"(?:^|<)(sips?|tel):([^>]*)", re.IGNORECASE)
_PHONE_SHAPE = re.compile(r"[+(\d]")
_LETTERS = re.compile(r"[^\W\d_]+")
_EXTENSION = re.compile(r"(?:доб(?:авочный)?|ext(?:n|ension)?|вн|x|#|,|;)[.:=\s]*(\d{1,7})\D*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was read. `withheld`: the caller hides it, so there is nothing to compare."""

    key: Key | None
    extension: str = ""
    withheld: bool = False


def phone_key(text: str, region: str) -> Key | None:
    """The canonical key of a number in any spelling, or None where there is none."""
    return read_number(text, region).key


def read_number(text: str, region: str) -> Number:
    """Reads one number. `region` is the country of numbers written without one, such as `RU`."""
    clean = _clean(text)
    if clean.casefold().startswith("client:"):
        return Number(Key(AddressKind.OTHER, clean.casefold()[:NUMBER_CHARS_MAX]))
    uri = _URI.search(clean)
    if uri:
        user, _, parameters = uri.group(2).split("@", 1)[0].partition(";")
        extended = re.search(r"ext=(\d{1,7})", parameters)  # RFC 3966 §3
        clean = f"{user.strip()} ext {extended.group(1)}" if extended else user.strip()
    if clean.casefold() in _WITHHELD or not any(c.isalnum() for c in clean):
        return Number(None, withheld=True)
    name = Number(Key(AddressKind.OTHER, clean.casefold()[:NUMBER_CHARS_MAX]))
    split = _EXTENSION.search(clean)
    extension = _digits(split.group(1)) if split else ""
    if split and split.start() == 0:
        return Number(Key(AddressKind.OTHER, extension))
    number = clean[: split.start()] if split else clean
    digits = _digits(number)
    if not digits or (
        _LETTERS.search(number) and (len(digits) <= EXTENSION_DIGITS_MAX or len(clean) <= SENDER_CHARS_MAX)
    ):
        return name
    if len(digits) <= EXTENSION_DIGITS_MAX:
        return Number(Key(AddressKind.OTHER, digits), extension)
    found = _parse(_LETTERS.sub(" ", number).strip(" #,;"), digits, region)
    if found is None:
        return name if _LETTERS.search(number) else Number(Key(AddressKind.OTHER, digits), extension)
    e164 = phonenumbers.format_number(found, PhoneNumberFormat.E164)
    return Number(Key(AddressKind.PHONE, e164), extension or found.extension or "")


def _clean(text: str) -> str:
    normal = unicodedata.normalize("NFKC", text[:NUMBER_CHARS_MAX])
    kept = "".join(c for c in normal[:NUMBER_CHARS_MAX] if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    return kept.strip()


def _digits(text: str) -> str:
    """The decimal digits of a text, of any script, as ASCII."""
    return "".join(str(unicodedata.decimal(c)) for c in text if c.isdecimal())


def _parse(clean: str, digits: str, region: str) -> PhoneNumber | None:
    """The first spelling that gives a valid number: 00 as plus, then as written, then 11–15 digits as international."""
    spellings = []
    if clean.startswith("00"):
        spellings.append("+" + clean[2:])
    spellings.append(clean.replace("~", ""))
    if not clean.startswith("+") and 11 <= len(digits) <= 15:
        spellings.append("+" + digits)
    for spelling in spellings:
        try:
            number = phonenumbers.parse(spelling, region)
        except NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return number
    return None


def looks_like_number(text: str) -> bool:
    """Whether a text is nothing but a number or a piece of one, in any spelling."""
    stripped = text.strip()
    return bool(_PHONE_SHAPE.match(stripped)) and not re.search(r"[^\d\s()+\-./~]", stripped)
