"""Rules of the configuration in the form in which they are compared."""

from pathlib import Path

import pytest

from config.load import loads
from daemon.wiring import intake_settings
from interactions.records import AddressKind, Key
from interactions.rules import When


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("{}", When()),
        ('{ from = "Anna@Example.ORG" }', When(senders=frozenset({Key(AddressKind.EMAIL, "anna@example.org")}))),
        ('{ from = "8 (916) 123-45-67" }', When(senders=frozenset({Key(AddressKind.PHONE, "+79161234567")}))),
        ('{ domain = "@Bank.example", topic = "АКТ" }', When(domains=frozenset({"bank.example"}), topics=("акт",))),
        ('{ line = "*" }', When()),
    ],
)
def test_addresses_numbers_and_texts_are_folded(when: str, expected: When, tmp_path: Path) -> None:
    settings = loads(f"[[rule]]\nwhen = {when}\nset = {{ reviewed = true }}", tmp_path, {}).settings

    assert intake_settings(settings).rules[0].when == expected


def test_what_is_no_address_matches_nothing_rather_than_anything(tmp_path: Path) -> None:
    settings = loads('[[rule]]\nwhen = { from = "not @n address" }\nset = { reviewed = true }', tmp_path, {}).settings

    [rule] = intake_settings(settings).rules
    assert rule.when.senders
