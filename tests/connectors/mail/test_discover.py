"""Where a mailbox may be: the table is sound, guesses stay within the domain, trying stops at the right server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.tables import parse_server
from connectors.base import Refused, Unavailable
from connectors.mail import discover
from connectors.mail.discover import Candidate, candidates, choose

FIRST, SECOND = (
    Candidate("imaps://a:993", "smtps://a:465", "it wants this"),
    Candidate("imaps://b:993", "smtps://b:465"),
)


@pytest.mark.parametrize(
    ("address", "imap", "smtp"),
    [
        ("anna@mail.ru", "imaps://imap.mail.ru:993", "smtps://smtp.mail.ru:465"),
        ("anna@BK.ru", "imaps://imap.mail.ru:993", "smtps://smtp.mail.ru:465"),
        ("anna@list.ru", "imaps://imap.mail.ru:993", "smtps://smtp.mail.ru:465"),
        ("anna@inbox.ru", "imaps://imap.mail.ru:993", "smtps://smtp.mail.ru:465"),
        ("anna@ya.ru", "imaps://imap.yandex.ru:993", "smtps://smtp.yandex.ru:465"),
        ("anna@yandex.kz", "imaps://imap.yandex.ru:993", "smtps://smtp.yandex.ru:465"),
        ("anna@rambler.ru", "imaps://imap.rambler.ru:993", "smtps://smtp.rambler.ru:465"),
        (" anna@gmail.com ", "imaps://imap.gmail.com:993", "smtps://smtp.gmail.com:465"),
        ("anna@hotmail.com", "imaps://outlook.office365.com:993", "smtp+starttls://smtp-mail.outlook.com:587"),
        ("anna@firm.onmicrosoft.com", "imaps://outlook.office365.com:993", "smtp+starttls://smtp.office365.com:587"),
    ],
)
def test_well_known_providers(address: str, imap: str, smtp: str) -> None:
    [found] = candidates(address)

    assert (found.imap, found.smtp) == (imap, smtp)


def test_other_domains_are_guessed_tls_from_the_start_first() -> None:
    assert candidates("anna@example.org") == [
        Candidate("imaps://imap.example.org:993", "smtps://smtp.example.org:465"),
        Candidate("imaps://mail.example.org:993", "smtps://mail.example.org:465"),
        Candidate("imaps://example.org:993", "smtps://example.org:465"),
        Candidate("imap+starttls://imap.example.org:143", "smtp+starttls://smtp.example.org:587"),
        Candidate("imap+starttls://mail.example.org:143", "smtp+starttls://mail.example.org:587"),
        Candidate("imap+starttls://example.org:143", "smtp+starttls://example.org:587"),
    ]


def test_a_domain_in_other_letters_is_asked_for_as_the_dns_has_it() -> None:
    assert candidates("анна@почта.рф")[0].imap == "imaps://imap.xn--80a1acny.xn--p1ai:993"


@pytest.mark.parametrize(
    "address", ["", "anna", "anna@", "@example.org", "a@b@c.d", "anna@localhost", "a@ex ample.org"]
)
def test_what_is_no_address_has_no_server(address: str) -> None:
    assert candidates(address) == []


def test_every_server_of_the_table_can_be_written_into_the_configuration() -> None:
    domains = [domain for provider in discover._PROVIDERS for domain in provider.domains.split()]

    assert len(domains) == len(set(domains))
    for domain in domains:
        for found in candidates(f"anna@{domain}"):
            assert parse_server(found.imap, "imap").tls in ("implicit", "starttls")
            assert parse_server(found.smtp, "smtp").tls in ("implicit", "starttls")


@given(st.emails())
def test_a_password_only_goes_to_hosts_of_its_own_domain(address: str) -> None:
    domain = address.rpartition("@")[2].lower()
    if domain in discover._PROVIDER_OF or domain.endswith(".onmicrosoft.com"):
        return
    for found in candidates(address):
        for url in (found.imap, found.smtp):
            host = url.partition("://")[2].rpartition(":")[0]
            assert host == domain or host.endswith(f".{domain}")
            assert not url.startswith(("imap://", "smtp://"))


async def test_the_first_that_lets_us_in_is_chosen() -> None:
    async def probe(candidate: Candidate) -> str:
        if candidate is FIRST:
            raise Unavailable("nothing listens there")
        return "logged in"

    assert await choose([FIRST, SECOND], probe) == (SECOND, "logged in")


async def test_a_refused_password_ends_the_search() -> None:
    tried = []

    async def probe(candidate: Candidate) -> str:
        tried.append(candidate)
        raise Refused("a refuses the login", "needs_reauth")

    with pytest.raises(Refused, match="a refuses the login; it wants this") as error:
        await choose([FIRST, SECOND], probe)

    assert error.value.state == "needs_reauth"
    assert tried == [FIRST]


async def test_when_none_lets_us_in_each_is_told() -> None:
    async def probe(candidate: Candidate) -> str:
        raise Refused("the certificate is for another name") if candidate is FIRST else Unavailable("not found")

    with pytest.raises(Unavailable) as error:
        await choose([FIRST, SECOND], probe)
    with pytest.raises(Unavailable, match="no server to try"):
        await choose([], probe)

    assert "imaps://a:993: the certificate is for another name\nimaps://b:993: not found" in str(error.value)
