"""The registry: every provider that is built gets its connector, and what can't be used is refused with its name."""

from pathlib import Path

import pytest

from config.load import loads
from config.mail_settings import Mailbox
from config.not_built import TELEPHONY_BUILT
from config.telephony_settings import NEEDED, UNSIGNED, Telephony
from connectors.base import Receiver, Refused
from connectors.mail.source import ImapSource
from connectors.oauth import Memory, settings_for
from connectors.registry import RECEIVERS, SOURCES, mailbox_sender, mailbox_source, receiver_for, telephony_source
from connectors.telephony.asterisk import Asterisk


def table(provider: str, **more: str | int) -> Telephony:
    keys: dict[str, str | int] = {group[0]: "long-enough-for-anybody" for group in NEEDED[provider]}
    lines = [f"{key} = {value!r}" for key, value in {**keys, **more}.items()]
    lines += ["allow_unsigned = true"] if provider in UNSIGNED else []
    text = "\n".join(["[[telephony]]", "name = 'pbx'", f"type = '{provider}'", *lines])
    return loads(text, Path("/nowhere"), {"HOME": "/home/anna"}).settings.telephony[0]


@pytest.mark.parametrize("provider", sorted(RECEIVERS))
def test_a_provider_that_is_built_has_its_receiver(provider: str) -> None:
    receiver = receiver_for(table(provider), "RU")

    assert isinstance(receiver, Receiver)
    assert "https://crm.example.org/hooks/pbx" in receiver.instruct("https://crm.example.org/hooks/pbx")


@pytest.mark.parametrize("provider", sorted(NEEDED.keys() - RECEIVERS.keys()))
def test_a_provider_that_posts_nothing_or_is_not_built_has_no_receiver(provider: str) -> None:
    assert receiver_for(table(provider), "RU") is None


def test_a_pbx_that_we_connect_to_has_its_source_and_tls_by_its_port() -> None:
    plain, secure = telephony_source(table("asterisk")), telephony_source(table("asterisk", port=5039))

    assert isinstance(plain, Asterisk)
    assert isinstance(secure, Asterisk)
    assert (plain.settings.port, plain.settings.ssl_context) == (5038, None)
    assert secure.settings.ssl_context is not None
    assert telephony_source(table("generic")) is None


def test_what_is_said_to_be_built_is_what_the_registry_knows() -> None:
    assert {*RECEIVERS, *SOURCES} == TELEPHONY_BUILT


def test_a_secret_that_cannot_be_used_is_refused_with_the_name_of_its_source() -> None:
    with pytest.raises(Refused, match="'pbx'"):
        receiver_for(table("generic", secret="whsec_"), "RU")


def test_what_is_refused_does_not_tell_the_secret() -> None:
    with pytest.raises(Refused) as raised:
        receiver_for(table("generic", secret="whsec_canary%"), "RU")

    assert "canary" not in str(raised.value)


def mailbox(folder: Path, *lines: str, login: str = "password = 'canary'") -> Mailbox:
    text = "\n".join(["[[mailbox]]", "name = 'sales'", "address = 'sales@example.org'", login, *lines])
    if not any(line.startswith("imap ") for line in lines):
        text += "\nimap = 'imaps://imap.example.org'"
    return loads(text, folder, {"HOME": str(folder)}).settings.mailboxes[0]


def test_a_mailbox_is_read_as_it_is_configured(tmp_path: Path) -> None:
    lines = ["imap = 'imap+starttls://imap.example.org:1143'", "mode = 'poll'", "poll_seconds = 60", "connections = 1"]

    source = mailbox_source(mailbox(tmp_path, *lines, "folders = ['INBOX']", "since = '2026-01-01'", "user = 'anna'"))

    assert isinstance(source, ImapSource)
    found = source.settings
    assert (found.host, found.port, found.tls, found.user) == ("imap.example.org", 1143, "starttls", "anna")
    assert (found.push, found.poll_seconds, found.connections, found.folders) == (False, 60, 1, ("INBOX",))
    assert (str(found.since), found.ssl_context) == ("2026-01-01", None)
    assert "canary" not in repr(found)


def test_a_mailbox_may_log_in_with_tokens(tmp_path: Path) -> None:
    oauth = "oauth = { provider = 'google', client_id = 'x', client_secret = 'y', refresh_token = 'canary' }"

    source = mailbox_source(mailbox(tmp_path, login=oauth))

    assert isinstance(source, ImapSource)
    assert source.settings.oauth == settings_for("google", "x", "y", "canary")
    assert "canary" not in repr(source.settings)
    with pytest.raises(Refused, match="needs a refresh_token"):
        mailbox_source(mailbox(tmp_path, login="oauth = { provider = 'google', client_id = 'x' }"))


def test_a_mailbox_with_tokens_sends_with_them_too(tmp_path: Path) -> None:
    oauth = "oauth = { provider = 'google', client_id = 'x', client_secret = 'y', refresh_token = 'canary' }"
    vault = Memory(lambda: 0.0)

    table = mailbox(tmp_path, "smtp = 'smtps://smtp.example.org'", login=oauth)
    source, sender = mailbox_source(table, vault), mailbox_sender(table, vault)

    assert source is not None
    assert source.settings.vault is vault
    assert sender is not None
    assert sender.settings.tokens is not None
    assert "canary" not in repr(sender.settings)
    assert mailbox_sender(mailbox(tmp_path, login=oauth)) is None


@pytest.mark.parametrize(
    "content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n"]
)
def test_an_authority_that_can_not_be_read_is_refused_with_its_mailbox(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ca.pem").write_bytes(content)

    with pytest.raises(Refused, match=r"'sales' names the authority .*ca\.pem"):
        mailbox_source(mailbox(tmp_path, "tls_ca = 'ca.pem'"))
