"""Where the mailbox of an address may be: servers of well-known providers, else good guesses. For `ringmail init`.

`candidates` gives addresses of servers in the order in which to try them, in the words of the configuration. A domain
that is in the table has exactly its provider's servers. For any other the names that nearly everybody uses are guessed:
imap.DOMAIN, mail.DOMAIN and DOMAIN itself, TLS from the start before STARTTLS. Nothing in the clear is ever offered, and
only hosts of the address's own domain are guessed, so that a password goes to nobody else.

`choose` tries them with a probe (`ImapSource.check` of the candidate): the first that lets us in, or that knows the
user and refuses the password, is the one.

Limits: records in the DNS (RFC 6186) and autoconfiguration files are not asked for; a company whose own domain lies
with a provider types the provider's servers.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from connectors.base import ConnectorError, Refused, Unavailable
from interactions.addresses import domain_of, email_key


@dataclass(frozen=True, slots=True)
class Candidate:
    """Servers to try. `hint` says what a person has to know of this provider, or nothing."""

    imap: str
    smtp: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class _Provider:
    imap: str
    smtp: str
    domains: str
    hint: str = ""


_APP_PASSWORD = "it wants a password for external applications, made in the settings of the account, not the usual one"
_TOKENS = "it takes tokens (oauth) instead of passwords from mail programs"

# As the providers' own help pages have them, 2026-11.
_PROVIDERS = (
    _Provider(
        "imaps://imap.mail.ru:993",
        "smtps://smtp.mail.ru:465",
        "mail.ru bk.ru list.ru inbox.ru internet.ru",
        _APP_PASSWORD,
    ),
    _Provider(
        "imaps://imap.yandex.ru:993",
        "smtps://smtp.yandex.ru:465",
        "yandex.ru yandex.com yandex.by yandex.kz yandex.ua ya.ru narod.ru",
        "mail programs are allowed in the settings of the mailbox first; " + _APP_PASSWORD,
    ),
    _Provider(
        "imaps://imap.rambler.ru:993",
        "smtps://smtp.rambler.ru:465",
        "rambler.ru autorambler.ru myrambler.ru lenta.ru ro.ru rambler.ua",
        "mail programs are allowed in the settings of the mailbox first",
    ),
    _Provider(
        "imaps://imap.gmail.com:993",
        "smtps://smtp.gmail.com:465",
        "gmail.com googlemail.com",
        "it wants an app password, which needs two-step verification to be on",
    ),
    _Provider(
        "imaps://outlook.office365.com:993",
        "smtp+starttls://smtp-mail.outlook.com:587",
        "outlook.com outlook.de outlook.fr hotmail.com hotmail.co.uk hotmail.fr live.com live.ru msn.com",
        _TOKENS,
    ),
    _Provider(
        "imaps://outlook.office365.com:993",
        "smtp+starttls://smtp.office365.com:587",
        "onmicrosoft.com office365.com",
        _TOKENS,
    ),
    _Provider(
        "imaps://imap.mail.me.com:993",
        "smtp+starttls://smtp.mail.me.com:587",
        "icloud.com me.com mac.com",
        _APP_PASSWORD,
    ),
    _Provider(
        "imaps://imap.mail.yahoo.com:993",
        "smtps://smtp.mail.yahoo.com:465",
        "yahoo.com yahoo.de yahoo.fr yahoo.co.uk ymail.com rocketmail.com",
        _APP_PASSWORD,
    ),
    _Provider("imaps://imap.aol.com:993", "smtps://smtp.aol.com:465", "aol.com", _APP_PASSWORD),
    _Provider("imaps://imap.gmx.net:993", "smtps://mail.gmx.net:465", "gmx.de gmx.net gmx.at gmx.ch"),
    _Provider("imaps://imap.gmx.com:993", "smtps://mail.gmx.com:465", "gmx.com gmx.us"),
    _Provider("imaps://imap.web.de:993", "smtps://smtp.web.de:465", "web.de"),
    _Provider(
        "imaps://imap.fastmail.com:993", "smtps://smtp.fastmail.com:465", "fastmail.com fastmail.fm", _APP_PASSWORD
    ),
    _Provider("imaps://imap.mailbox.org:993", "smtps://smtp.mailbox.org:465", "mailbox.org"),
    _Provider("imaps://imap.zoho.com:993", "smtps://smtp.zoho.com:465", "zoho.com zohomail.com", _APP_PASSWORD),
    _Provider("imaps://imap.zoho.eu:993", "smtps://smtp.zoho.eu:465", "zohomail.eu", _APP_PASSWORD),
    _Provider("imaps://imap.ukr.net:993", "smtps://smtp.ukr.net:465", "ukr.net", _APP_PASSWORD),
)
_PROVIDER_OF = {domain: provider for provider in _PROVIDERS for domain in provider.domains.split()}


def candidates(address: str) -> list[Candidate]:
    """Servers to try for an address, best first; none where it is no address."""
    key = email_key(address)
    domain = domain_of(key) if key else ""
    if "." not in domain:
        return []
    # Every customer of Microsoft has a domain of his own below this one.
    provider = _PROVIDER_OF.get("onmicrosoft.com" if domain.endswith(".onmicrosoft.com") else domain)
    if provider is not None:
        return [Candidate(provider.imap, provider.smtp, provider.hint)]
    return list(_guesses(domain))


def _guesses(domain: str) -> Iterator[Candidate]:
    pairs = ((f"imap.{domain}", f"smtp.{domain}"), (f"mail.{domain}", f"mail.{domain}"), (domain, domain))
    for imap, smtp in pairs:
        yield Candidate(f"imaps://{imap}:993", f"smtps://{smtp}:465")
    for imap, smtp in pairs:
        yield Candidate(f"imap+starttls://{imap}:143", f"smtp+starttls://{smtp}:587")


async def choose(found: Sequence[Candidate], probe: Callable[[Candidate], Awaitable[str]]) -> tuple[Candidate, str]:
    """The first candidate whose probe succeeds, and what the probe said.

    Raises the refusal of a login at once, since that is the right server, and another guess would only try the password
    again. Otherwise raises Unavailable with what each of them said."""
    said: list[str] = []
    for candidate in found:
        try:
            return candidate, await probe(candidate)
        except ConnectorError as error:
            if isinstance(error, Refused) and error.state == "needs_reauth":
                raise Refused(f"{error}; {candidate.hint}" if candidate.hint else str(error), error.state) from error
            said.append(f"{candidate.imap}: {error}")
    raise Unavailable("no mail server was found; tried\n" + "\n".join(said) if said else "there is no server to try")
