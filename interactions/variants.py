"""Spellings that lead to the same mailbox or telephone without being the same address, and what a domain tells.

Large providers deliver several spellings to one mailbox: Gmail ignores dots and what follows a plus, Yandex has one mailbox
under many domains and takes a dot for a hyphen. A local number is the number with the area code of the configuration.
`stem` gives what such spellings have in common. Two addresses of one stem are no proof: they match at lower confidence
(`variant`), and only where nobody has the address itself.

A domain leads to the partner that has it, or a part of it above (`mail.shop.example` to `shop.example`), as a suggestion.
The domains of providers, where anybody has a mailbox, tell nothing.
"""

from dataclasses import dataclass

from interactions.addresses import domain_of
from interactions.phones import phone_key
from interactions.records import AddressKind, Key

LOCAL_DIGITS_MIN = 5
LOCAL_DIGITS_MAX = 8


@dataclass(frozen=True, slots=True)
class Local:
    """What the configuration says: the country and area code of local numbers, and domains to add to `FREEMAIL`."""

    region: str = ""
    area_code: str = ""
    freemail: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Provider:
    """Which spellings one provider of mail delivers to one mailbox; the first domain stands for all."""

    domains: tuple[str, ...]
    dropped: str = ""  # characters of the local part that do not count
    hyphen_is_dot: bool = False
    plus: bool = True  # what follows a plus does not count


PROVIDERS = (
    Provider(("gmail.com", "googlemail.com"), dropped="."),
    Provider(
        ("yandex.ru", "ya.ru", "yandex.com", "yandex.by", "yandex.kz", "yandex.ua", "yandex.uz", "yandex.com.tr"),
        hyphen_is_dot=True,
    ),
    Provider(("icloud.com", "me.com", "mac.com")),
    Provider(("proton.me", "protonmail.com", "pm.me"), dropped=".-_"),
    Provider(("outlook.com",)),
    Provider(("hotmail.com",)),
    Provider(("fastmail.com",)),
)
_PROVIDER_OF = {domain: provider for provider in PROVIDERS for domain in provider.domains}
PROVIDER_DOMAINS = frozenset(_PROVIDER_OF)

FREEMAIL = PROVIDER_DOMAINS | frozenset(
    "mail.ru bk.ru inbox.ru list.ru internet.ru xmail.ru vk.com rambler.ru lenta.ru autorambler.ru myrambler.ru ro.ru "
    "narod.ru pochta.ru qip.ru mail.com email.com live.com live.ru msn.com hotmail.co.uk hotmail.fr yahoo.com yahoo.co.uk "
    "yahoo.de yahoo.fr ymail.com aol.com gmx.com gmx.de gmx.net web.de t-online.de freenet.de orange.fr free.fr laposte.net "
    "libero.it virgilio.it wp.pl o2.pl onet.pl interia.pl seznam.cz centrum.cz ukr.net i.ua meta.ua bigmir.net tut.by "
    "mail.by inbox.lv mail.ee zoho.com tutanota.com tuta.io hey.com qq.com 163.com 126.com naver.com".split()
)


def stem(key: Key, local: Local) -> str | None:
    """What the other spellings of an address have in common with it; None where there are none. The stem of a local number
    is the whole number; a whole number is its own stem and has none here."""
    if key.kind is AddressKind.EMAIL:
        return _mailbox(key)
    if key.kind is AddressKind.PHONE or not local.area_code:
        return None
    if not (key.value.isascii() and key.value.isdigit() and LOCAL_DIGITS_MIN <= len(key.value) <= LOCAL_DIGITS_MAX):
        return None
    whole = phone_key(local.area_code + key.value, local.region)
    return whole.value if whole is not None and whole.kind is AddressKind.PHONE else None


def _mailbox(key: Key) -> str | None:
    name, _, domain = key.value.rpartition("@")
    provider = _PROVIDER_OF.get(domain)
    if provider is None:
        return None
    short = name.partition("+")[0] if provider.plus else name
    if provider.hyphen_is_dot:
        short = short.replace("-", ".")
    short = "".join(c for c in short if c not in provider.dropped)
    return f"{short}@{provider.domains[0]}" if short else None


def may_be_local(key: Key) -> bool:
    """Whether a key may be a local number, which only the configuration can complete."""
    return key.kind is AddressKind.OTHER and key.value.isdigit() and len(key.value) <= LOCAL_DIGITS_MAX


def domains_above(key: Key, silent: frozenset[str]) -> tuple[str, ...]:
    """The domain of an address and those it belongs to, without the top one; none where one of them is `silent`: a
    provider's or our own."""
    labels = domain_of(key).split(".")
    found = tuple(".".join(labels[n:]) for n in range(len(labels) - 1))
    return () if not silent.isdisjoint(found) else found
