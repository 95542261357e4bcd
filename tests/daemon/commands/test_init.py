"""`ringmail init`: from an address to a configuration that works; refused logins leave nothing behind."""

import asyncio
import json
import stat
from base64 import b64decode
from pathlib import Path

import pytest

from config.load import load
from storage import people
from tests.fakes.command import Ringmail, ask
from tests.fakes.daemon import home
from tests.fakes.dovecot import PASSWORD, Dovecot, free_ports

ENVIRON = {"MAIL_PASSWORD": PASSWORD}


@pytest.fixture
def ringmail(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Ringmail:
    """No configuration yet; its database is the test's own, by the environment."""
    monkeypatch.setenv("RINGMAIL_DATABASE__DSN", dsn)
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    return Ringmail(tmp_path, dsn)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def where(ringmail: Ringmail, dovecot: Dovecot) -> list[str]:
    """Options that lead to the server."""
    authority = ringmail.folder.parent / f"{ringmail.folder.name}.pem"
    dovecot.authority.cert_pem.write_to_path(str(authority))
    return ["--imap", f"imaps://localhost:{dovecot.imaps}", "--tls-ca", str(authority)]


# Without a mailbox


def test_a_user_alone_is_enough(ringmail: Ringmail) -> None:
    said = ringmail("init", "--yes", "--user-email", "anna@example.org", "--user-name", "Анна", "--json")

    (user,) = asyncio.run(ask(ringmail.dsn, people.list_all))
    assert said.code == 0
    assert said.json["link"].startswith("http://127.0.0.1:8025/login?once=")
    assert (user.email, user.name, user.role) == ("anna@example.org", "Анна", "admin")
    assert files(ringmail.folder) == {"ringmail.toml", "secret.key"}
    assert len(b64decode((ringmail.folder / "secret.key").read_text())) == 32


def test_telephony_gets_a_secret_of_its_own_and_every_file_is_private(ringmail: Ringmail) -> None:
    said = ringmail(
        "init", "--yes", "--user-email", "anna@example.org", "--phone-line", "+74951234567", "--phone-line", "101",
        "--public-url", "https://crm.example.org", "--json",
    )  # fmt: skip

    loaded = load(ringmail.path, {})
    (phone,) = loaded.settings.telephony
    secret = (ringmail.folder / "pbx.secret").read_text().strip()
    assert loaded.warnings == ()
    assert said.json["hooks"] == ["https://crm.example.org/hooks/pbx"]
    assert dict(phone.lines) == {"+74951234567": "anna@example.org", "101": "anna@example.org"}
    assert phone.secret is not None
    assert phone.secret.reveal() == secret
    assert secret.startswith("whsec_")
    assert {stat.S_IMODE(path.stat().st_mode) for path in ringmail.folder.iterdir()} == {0o600}


def test_a_configuration_that_is_there_is_not_touched(ringmail: Ringmail) -> None:
    ringmail("init", "--yes", "--user-email", "anna@example.org")
    before = ringmail.path.read_bytes()

    said = ringmail("init", "--yes", "--user-email", "boris@example.org", "--language", "en")

    assert said.code == 1
    assert "is there already" in said.err
    assert ringmail.path.read_bytes() == before
    assert len(asyncio.run(ask(ringmail.dsn, people.list_all))) == 1


def test_force_writes_a_new_one_and_keeps_the_old_one_and_the_key(ringmail: Ringmail) -> None:
    ringmail("init", "--yes", "--user-email", "anna@example.org", "--telephony")
    key, secret = [(ringmail.folder / name).read_bytes() for name in ("secret.key", "pbx.secret")]

    said = ringmail("init", "--yes", "--force", "--user-email", "anna@example.org", "--telephony", "--language", "en")

    assert said.code == 0
    assert load(ringmail.path, {}).settings.language == "en"
    assert load(ringmail.folder / "ringmail.toml.old", {}).settings.language == "ru"
    assert [(ringmail.folder / name).read_bytes() for name in ("secret.key", "pbx.secret")] == [key, secret]


def test_begun_again_it_makes_the_user_that_is_missing(ringmail: Ringmail) -> None:
    ringmail.configure(public_url="https://crm.example.org")
    before = ringmail.path.read_bytes()

    said = ringmail("init", "--yes", "--user-email", "anna@example.org", "--json")

    assert said.code == 0
    assert said.json["link"].startswith("https://crm.example.org/login?once=")
    assert ringmail.path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "--email"),
        (("--email", "sales@example.org"), 2, "--password-stdin"),
        (("--email", "sales@example.org", "--password-env", "NO_SUCH"), 2, "--password-env"),
        (("--user-email", "anna"), 2, "is no e-mail address"),
        (("--user-email", "anna@example.org", "--timezone", "Mars"), 3, "timezone"),
        (("--user-email", "anna@example.org", "--language", "fr", "--region", "XX"), 3, "default_region"),
        (("--user-email", "anna@example.org", "--listen", "everywhere"), 3, "http.listen"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(
    ringmail: Ringmail, arguments: tuple[str, ...], code: int, words: str
) -> None:
    said = ringmail("init", "--yes", *arguments)

    assert said.code == code
    assert words in said.err
    assert files(ringmail.folder) == set()


# With a mailbox


@pytest.mark.peer("dovecot")
def test_a_mailbox_is_tried_and_written_with_a_reference_to_its_password(ringmail: Ringmail, dovecot: Dovecot) -> None:
    user = dovecot.new_user()

    said = ringmail("init", "--yes", "--email", user, "--password-env", "MAIL_PASSWORD", *where(ringmail, dovecot))

    (mailbox,) = load(ringmail.path, ENVIRON).settings.mailboxes
    assert said.code == 0
    assert "logged in to localhost" in said.err
    assert PASSWORD not in ringmail.path.read_text() + said.out + said.err
    assert (mailbox.address, mailbox.user, mailbox.imap.port) == (user, user, dovecot.imaps)
    assert mailbox.password is not None
    assert mailbox.password.reveal() == PASSWORD
    assert ringmail("sync", mailbox.name, "--json").json == {"new": 0, "known": 0, "quarantined": 0}


@pytest.mark.peer("dovecot")
def test_a_password_from_standard_input_gets_a_file_of_its_own(ringmail: Ringmail, dovecot: Dovecot) -> None:
    user = dovecot.new_user()

    said = ringmail.apart(
        "init", "--yes", "--email", user, "--password-stdin", *where(ringmail, dovecot),
        words=f"{PASSWORD}\n", environ={"RINGMAIL_DATABASE__DSN": ringmail.dsn},
    )  # fmt: skip

    (mailbox,) = load(ringmail.path, {}).settings.mailboxes
    assert said.code == 0
    assert mailbox.password is not None
    assert mailbox.password.reveal() == PASSWORD
    assert PASSWORD not in ringmail.path.read_text()


@pytest.mark.peer("dovecot")
@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--password-env", "WRONG"], "password"),
        (["--imap", "imaps://no-such-host.invalid"], "no-such-host.invalid"),
        (["--imap", "imap://localhost:1"], "localhost:1"),
        (["--tls-ca", ""], "certificate"),
        (["--smtp", "smtp://localhost:1"], "localhost:1"),
    ],
    ids=["password", "host", "port", "self-signed", "smtp"],
)
def test_a_refused_login_is_4_and_nothing_is_written(
    ringmail: Ringmail, dovecot: Dovecot, more: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG", "wrong password")
    options = ["--email", dovecot.new_user(), "--password-env", "MAIL_PASSWORD", *where(ringmail, dovecot), *more]

    said = ringmail("init", "--yes", *options)

    assert said.code == 4
    assert words in said.err
    assert "wrong password" not in said.err
    assert files(ringmail.folder) == set()
    assert asyncio.run(ask(ringmail.dsn, people.list_all)) == []


@pytest.mark.peer("dovecot")
def test_a_person_is_asked_and_may_try_the_password_again(ringmail: Ringmail, dovecot: Dovecot) -> None:
    user = dovecot.new_user()
    typed = [
        "sales", user, "wrong", "", PASSWORD, "fr", "en", "", "Russia", "RU", "", "everywhere", "", "", "+74951234567", "",
        "Анна",
    ]  # fmt: skip

    said = ringmail.apart(
        "init", *where(ringmail, dovecot),
        words="".join(f"{line}\n" for line in typed), environ={"RINGMAIL_DATABASE__DSN": ringmail.dsn},
    )  # fmt: skip

    assert said.code == 0, said.err
    settings = load(ringmail.path, {}).settings
    (found,) = asyncio.run(ask(ringmail.dsn, people.list_all))
    for complaint in (
        "'sales' is no e-mail",
        "language: must be one of",
        "default_region: must be",
        "http.listen: must be",
    ):
        assert complaint in said.err
    assert "Sign in: http://127.0.0.1:8025/login?once=" in said.out
    assert (settings.language, [one.name for one in settings.telephony]) == ("en", ["pbx"])
    assert (found.email, found.name) == (user, "Анна")
    assert (ringmail.folder / f"{settings.mailboxes[0].name}.password").read_text() == f"{PASSWORD}\n"


# The whole of it


def test_from_nothing_to_a_token_on_the_embedded_database() -> None:
    with home() as folder:
        ringmail = Ringmail(folder)
        listen = f"127.0.0.1:{free_ports(1)[0]}"

        made = ringmail.apart(
            "init", "--yes", "--user-email", "anna@example.org", "--data-dir", str(folder / "data"), "--listen", listen,
            "--json",
        )  # fmt: skip
        checked = ringmail.apart("check", "--json")
        token = ringmail.apart("token", "create", "crm", "--json")

        told = {one["name"]: one["state"] for one in checked.json["items"]}
        assert (made.code, checked.code, token.code) == (0, 0, 0)
        assert set(told.values()) == {"ok"}
        assert json.loads(token.out)["token"].startswith("rm_")
        assert made.err.count("\n") == 1
