"""What the rest of the daemon needs of the configuration, as plain values."""

from pathlib import Path

import pytest

from config.load import loads
from config.settings import Settings
from connectors.base import Refused
from daemon.wiring import intake_settings, public_url, receivers, source_rows
from interactions.addresses import email_key
from interactions.phones import phone_key

OFFICE = """
default_region = "RU"
[chains]
join_hours = 24
[[mailbox]]
name = "sales"
address = "Sales@Example.org"
aliases = ["shop@example.org"]
imap = "imaps://imap.example.org"
password = "x"
responsible = "anna@example.org"
[[telephony]]
name = "main"
type = "generic"
secret = "a-long-secret"
allow_unsigned = true
lines = { "8 (495) 123-45-67" = "anna@example.org" }
extensions = { "101" = "boris@example.org" }
review_answered = false
[[telephony]]
name = "second"
type = "generic"
secret = "another-long-secret"
allow_unsigned = true
"""


def read(text: str) -> Settings:
    return loads(text, Path(), {}).settings


def test_own_addresses_are_those_of_mailboxes_aliases_and_lines() -> None:
    own = intake_settings(read(OFFICE)).own

    assert own == {email_key("sales@example.org"), email_key("shop@example.org"), phone_key("+74951234567", "RU")}


def test_who_answers_for_a_source_is_found_by_its_line_and_extension() -> None:
    settings = intake_settings(read(OFFICE))
    main = settings.sources["main"]

    assert (settings.region, settings.join_hours) == ("RU", 24)
    assert settings.sources.keys() == {"sales", "main", "second"}
    assert settings.sources["sales"].responsible == "anna@example.org"
    assert list(main.lines.items()) == [(phone_key("+74951234567", "RU"), "anna@example.org")]
    assert (main.extensions, main.review_answered) == ({"101": "boris@example.org"}, False)


def test_every_source_has_its_row_and_every_telephony_its_receiver() -> None:
    settings = read(OFFICE)

    assert source_rows(settings) == [
        ("sales", "mailbox", "imap"),
        ("main", "telephony", "generic"),
        ("second", "telephony", "generic"),
    ]
    assert receivers(settings).keys() == {"main", "second"}


def test_nothing_is_configured_at_first() -> None:
    settings = read("")

    assert (source_rows(settings), dict(receivers(settings))) == ([], {})
    assert intake_settings(settings).own == frozenset()


def test_a_secret_that_can_not_be_used_is_refused() -> None:
    with pytest.raises(Refused, match="'main'"):
        receivers(read('[[telephony]]\nname = "main"\ntype = "generic"\nsecret = "whsec_%"\n'))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:8025"),
        ('[http]\nlisten = "0.0.0.0:80"', "http://127.0.0.1:80"),
        ('[http]\nlisten = "[::1]:8025"', "http://[::1]:8025"),
        ('public_url = "https://crm.example.org/"', "https://crm.example.org"),
    ],
)
def test_where_people_find_us(text: str, url: str) -> None:
    assert public_url(read(text)) == url
