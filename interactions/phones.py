"""Phone numbers in one canonical form: E.164 where the number is valid in its country, else exactly what was dialled.

Order of the tests, each before the parser would misread what it stands for:

    withheld words        anonymous, unknown, … and their keypad spellings: nobody, no key
    sip:, tel:            the user part
    letters               a sender name of an SMS; compared as a whole, folded
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

_WITHHELD = frozenset(
    "anonymous unknown restricted private unavailable withheld blocked asserted invalid hidden none null "
    "anonymous@anonymous.invalid +266696687 266696687 +7378742833 7378742833 +2562533 2562533 +8566696 8566696 "
    "+86282452253 86282452253".split()
) | {"no number", "скрыт", "скрытый", "номер скрыт", "аноним"}
_DIGITS = re.compile(r"\D+")
_PHONE_SHAPE = re.compile(r"[+(\d]")
_EXTENSION_WORDS = re.compile(r"(?:доб|ext|extn|x|#|,|;)", re.IGNORECASE)


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
    if not clean or clean.casefold() in _WITHHELD:
        return Number(None, withheld=True)
    lower = clean.casefold()
    if lower.startswith(("sip:", "sips:", "tel:")):
        clean = clean.split(":", 1)[1].split("@", 1)[0]
        if not lower.startswith("tel:"):
            clean = clean.split(";", 1)[0]
    elif lower.startswith("client:"):
        return Number(Key(AddressKind.OTHER, lower))
    if not any(c.isdigit() for c in clean) or (clean[:1].isalpha() and not _EXTENSION_WORDS.match(clean)):
        return Number(Key(AddressKind.OTHER, clean.casefold()))
    digits = _DIGITS.sub("", clean)
    if len(digits) <= EXTENSION_DIGITS_MAX:
        return Number(Key(AddressKind.OTHER, digits))
    found = _parse(clean, digits, region)
    if found is None:
        return Number(Key(AddressKind.OTHER, digits[:NUMBER_CHARS_MAX]))
    e164 = phonenumbers.format_number(found, PhoneNumberFormat.E164)
    return Number(Key(AddressKind.PHONE, e164), found.extension or "")


def _clean(text: str) -> str:
    normal = unicodedata.normalize("NFKC", text[:NUMBER_CHARS_MAX])
    return "".join(c for c in normal if unicodedata.category(c) not in ("Cc", "Cf", "Cs")).strip()


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
