"""What is put into the search index for a record, and what a person's query means.

Words go through the database's stemmer (one configuration serves Russian and English). Numbers and addresses would not
survive it, so they become lexemes of their own, made of `[a-z0-9_]` only and safe to write between quotes:

    tel4956329816   one for every ending of a number of four digits and more, so that a *prefix* search finds any
    tel956329816    fragment of it, in whatever spelling it was typed
    mail_ivan_40…   an address, with everything but letters and digits as `_` and the code of the character

A number typed in part with the trunk prefix of its country (8 495 632) is looked for without it, and an address by its
canonical form. `parse_query` says which lexemes must be there as prefixes and which words are left for the stemmer. The storage adds
the first to the stemmed document as they are, and asks for `'lexeme':*`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import phonenumbers

from interactions.addresses import email_key
from interactions.phones import looks_like_number, phone_key
from interactions.records import AddressKind, Key

FRAGMENT_DIGITS_MIN = 4
QUERY_CHARS_MAX = 256
WORDS_CHARS_MAX = 100_000
_JOINED = re.compile(r"[\W_]+")
_NOT_WORD = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to look for: words in any form, or lexemes that must be there as prefixes; one of both where it has both."""

    words: str = ""
    prefixes: tuple[str, ...] = ()


def fold(text: str) -> str:
    """The form in which texts are indexed and asked for: lower case, ё as е."""
    return text.casefold().replace("ё", "е")


def file_words(name: str) -> str:
    """The words of a file's name, which the parser of the index takes for one where they are Latin: `price_list.xls`."""
    return f"{name} {name.rpartition('.')[0]} {_JOINED.sub(' ', name)}"


def lexemes_for(keys: Iterable[Key]) -> list[str]:
    """The lexemes of a record's addresses."""
    found: dict[str, None] = {}
    for key in keys:
        if key.kind is AddressKind.EMAIL:
            found[email_lexeme(key.value)] = None
        else:
            found.update(dict.fromkeys(phone_lexemes(key.value)))
    return list(found)


def phone_lexemes(number: str) -> list[str]:
    """Every ending of a number of at least four digits; short codes as they are."""
    digits = "".join(c for c in number if c.isascii() and c.isdigit())[:32]
    if len(digits) <= FRAGMENT_DIGITS_MIN:
        return [f"tel{digits}"] if digits else []
    return [f"tel{digits[n:]}" for n in range(len(digits) - FRAGMENT_DIGITS_MIN + 1)]


def email_lexeme(address: str) -> str:
    """One lexeme for an address or the beginning of one."""
    return "mail_" + _NOT_WORD.sub(lambda found: f"_{ord(found.group()):x}_", address.casefold()[:200])


def parse_query(q: str, region: str) -> SearchQuery:
    """Decides whether a query is a number, an address or words."""
    text = q.strip()[:QUERY_CHARS_MAX]
    digits = "".join(c for c in text if c.isascii() and c.isdigit())
    if len(digits) >= 3 and looks_like_number(text):
        # A run of digits may as well be the number of an order, which is a word.
        return SearchQuery(digits if digits == text.strip("#№ ") else "", (f"tel{_sought(text, digits, region)}",))
    if "@" in text and not any(c.isspace() for c in text):
        key = email_key(text)
        return SearchQuery(prefixes=(email_lexeme(key.value if key else text),))
    return SearchQuery(words=fold(text))


def _sought(text: str, digits: str, region: str) -> str:
    """The digits to look for: of the canonical number, or of what was typed."""
    key = phone_key(text, region)
    if key is not None and key.kind is AddressKind.PHONE:
        return key.value.lstrip("+")
    trunk = "" if text.startswith("+") else phonenumbers.ndd_prefix_for_region(region, True) or ""
    national = digits.removeprefix(trunk)
    return national if trunk and len(national) >= FRAGMENT_DIGITS_MIN else digits
