"""`ringmail token`: shown once, known by its hash, revoked at once."""

import asyncio

import pytest

from daemon.passwords import digest
from storage import audit, people
from storage.audit import Filter
from tests.fakes.command import Ringmail, ask


def test_a_token_is_made_shown_once_and_holds(ringmail: Ringmail) -> None:
    made = ringmail("token", "create", "crm", "--json")
    listed = ringmail("token", "list", "--json")

    found = asyncio.run(ask(ringmail.dsn, lambda db: people.find_token(db, digest(made.json["token"]))))
    assert made.code == 0
    assert made.json.keys() == {"id", "name", "token"}
    assert made.json["token"].startswith("rm_")
    assert found is not None
    assert (str(found.id), found.name, found.scopes) == (made.json["id"], "crm", ["read", "write", "admin"])
    assert made.json["token"] not in listed.out
    assert [(one["id"], one["name"], one["revoked_at"]) for one in listed.json] == [(made.json["id"], "crm", None)]


def test_for_a_person_the_token_stands_alone_on_standard_output(ringmail: Ringmail) -> None:
    said = ringmail("token", "create", "crm", "--scopes", "admin,read")

    assert said.out.strip().startswith("rm_")
    assert len(said.out.split()) == 1
    assert "not shown again" in said.err
    assert [one["scopes"] for one in ringmail("token", "list", "--json").json] == [["read", "admin"]]


def test_a_revoked_token_holds_no_longer_and_its_name_is_free_again(ringmail: Ringmail) -> None:
    first = ringmail("token", "create", "crm", "--json").json

    again = ringmail("token", "create", "crm")
    revoked = ringmail("token", "revoke", "crm")
    twice = ringmail("token", "revoke", "crm")
    second = ringmail("token", "create", "crm", "--json")

    assert asyncio.run(ask(ringmail.dsn, lambda db: people.find_token(db, digest(first["token"])))) is None
    assert (again.code, revoked.code, twice.code, second.code) == (1, 0, 1, 0)
    assert "already" in again.err
    assert "no valid token called 'crm'" in twice.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "crm", "--scopes", "read,fly"), "unknown: fly"),
        (("create", "crm", "--scopes", ""), "read, write, admin"),
        (("create", " "), "needs a name"),
        (("create", "x" * 101), "needs a name"),
        (("create",), "Missing argument"),
        (("paint",), "No such command"),
    ],
)
def test_wrong_usage_says_what_is_right(ringmail: Ringmail, arguments: tuple[str, ...], words: str) -> None:
    said = ringmail("token", *arguments)

    assert said.code == 2
    assert words in said.err
    assert said.out == ""


def test_a_token_made_at_the_command_line_is_in_the_audit_log_without_its_secret(ringmail: Ringmail) -> None:
    made = ringmail("token", "create", "crm", "--scopes", "read", "--json").json
    ringmail("token", "revoke", "crm")

    found = asyncio.run(ask(ringmail.dsn, lambda db: audit.page(db, Filter())))

    told = [(one.act, one.actor.kind, one.actor.name, str(one.ref)) for _, one in reversed(found)]
    assert told == [
        ("token.created", "program", "ringmail token create", made["id"]),
        ("token.revoked", "program", "ringmail token revoke", made["id"]),
    ]
    assert made["token"] not in str(found)
