"""`ringmail user`: a contact of kind user that owns its address, a login, a link that works once."""

import asyncio
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from daemon.passwords import check_password, digest
from interactions.contacts import ContactKind
from storage import contacts, people
from storage.contacts import Filter
from storage.people import User
from tests.fakes import rows
from tests.fakes.command import Ringmail, ask


def used(ringmail: Ringmail, link: str) -> UUID | None:
    """Whom a link signs in."""
    (secret,) = parse_qs(urlsplit(link).query)["once"]
    return asyncio.run(ask(ringmail.dsn, lambda db: people.use_once_link(db, digest(secret))))


def login(ringmail: Ringmail, email: str) -> tuple[User, str | None]:
    found = asyncio.run(ask(ringmail.dsn, lambda db: people.find_by_email(db, email)))
    assert found is not None
    return found


def test_a_user_is_a_contact_that_owns_its_address_and_signs_in_by_the_link(ringmail: Ringmail) -> None:
    ringmail.configure(public_url="https://crm.example.org/")

    said = ringmail("user", "add", "Anna@Example.org", "--name", "Анна", "--role", "admin", "--json")

    user, password = login(ringmail, "anna@example.org")
    wanted = Filter(kinds=("user",), key=rows.key("anna@example.org"))
    (contact,) = asyncio.run(ask(ringmail.dsn, lambda db: contacts.page(db, wanted, rows.TODAY)))
    assert said.code == 0
    assert said.json["link"].startswith("https://crm.example.org/login?once=")
    assert (user.name, user.role, password) == ("Анна", "admin", None)
    assert (str(user.id), contact.id, contact.kind) == (said.json["id"], user.id, ContactKind.USER)
    assert (used(ringmail, said.json["link"]), used(ringmail, said.json["link"])) == (user.id, None)


def test_adding_again_is_an_error_that_says_so(ringmail: Ringmail) -> None:
    ringmail("user", "add", "anna@example.org")

    again = ringmail("user", "add", "ANNA@example.org")
    ringmail("user", "disable", "anna@example.org")
    disabled = ringmail("user", "add", "anna@example.org")

    assert (again.code, disabled.code) == (1, 1)
    assert "is a user already" in again.err
    assert "is disabled" in disabled.err
    assert len(ringmail("user", "list", "--json").json) == 1


def test_an_imported_user_without_a_login_is_taken_up(ringmail: Ringmail) -> None:
    file = ringmail.folder / "users.csv"
    file.write_text("name;kind;email\nБорис;user;boris@example.org\n", "utf-8")
    ringmail("contacts", "import", str(file))

    ringmail("user", "add", "boris@example.org")

    assert login(ringmail, "boris@example.org")[0].name == "Борис"


def test_who_is_disabled_is_locked_out_and_may_come_back(ringmail: Ringmail) -> None:
    link = ringmail("user", "add", "anna@example.org", "--json").json["link"]

    disabled = ringmail("user", "disable", "anna@example.org")
    no_link = ringmail("user", "link", "anna@example.org")
    states = [one["disabled_at"] is None for one in ringmail("user", "list", "--json").json]
    back = ringmail("user", "disable", "anna@example.org", "--undo")
    new_link = ringmail("user", "link", "anna@example.org", "--json")

    assert (disabled.code, no_link.code, back.code, new_link.code) == (0, 1, 0, 0)
    assert states == [False]
    assert used(ringmail, link) is None
    assert used(ringmail, new_link.json["link"]) is not None


def test_a_password_is_read_from_standard_input_and_kept_as_a_hash(ringmail: Ringmail) -> None:
    ringmail("user", "add", "anna@example.org")

    said = ringmail.apart("user", "password", "anna@example.org", "--password-stdin", words="Длинный пароль\n")

    assert (said.code, said.err) == (0, "")
    assert check_password(login(ringmail, "anna@example.org")[1], "Длинный пароль")


def test_a_password_that_is_too_short_is_refused(ringmail: Ringmail) -> None:
    said = ringmail.apart("user", "add", "anna@example.org", "--password-stdin", words="short\n")

    assert said.code == 1
    assert "8 to 1024 characters" in said.err
    assert ringmail("user", "list", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("add", "anna"), 2, "is no e-mail address"),
        (("add", "anna@example.org", "--role", "king"), 2, "admin, member, reader"),
        (("disable", "nobody@example.org"), 1, "no user nobody@example.org"),
        (("link", "nobody@example.org"), 1, "no user nobody@example.org"),
        (("password", "anna@example.org"), 2, "--password-stdin"),
    ],
)
def test_what_cannot_be_is_said(ringmail: Ringmail, arguments: tuple[str, ...], code: int, words: str) -> None:
    said = ringmail("user", *arguments)

    assert said.code == code
    assert words in said.err


def test_open_work_is_counted_handed_over_and_can_be_taken_back(ringmail: Ringmail) -> None:
    for name in ("anna", "boris"):
        ringmail("user", "add", f"{name}@example.org")
    anna, boris = (login(ringmail, f"{name}@example.org")[0].id for name in ("anna", "boris"))
    asyncio.run(ask(ringmail.dsn, lambda db: rows.write(db, rows.interaction(1, responsible_id=anna))))

    def responsible() -> UUID:
        return UUID(
            str(asyncio.run(ask(ringmail.dsn, lambda db: db.fetchval("SELECT responsible_id FROM interaction"))))
        )

    tried = ringmail("user", "handover", "anna@example.org", "boris@example.org", "--dry-run", "--json")
    assert (tried.code, tried.json) == (0, {"contacts": 0, "interactions": 1, "subjects": 0, "undo": None})
    assert responsible() == anna

    done = ringmail("user", "handover", "anna@example.org", "boris@example.org", "--json")
    assert (done.code, done.json["interactions"], bool(done.json["undo"])) == (0, 1, True)
    assert responsible() == boris


def test_nobody_hands_over_to_a_stranger(ringmail: Ringmail) -> None:
    ringmail("user", "add", "anna@example.org")

    for heir in ("nobody@example.org", "anna@example.org"):
        said = ringmail("user", "handover", "anna@example.org", heir)
        assert said.code == 1
        assert said.err.count("\n") == 1
