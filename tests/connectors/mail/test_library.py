"""aioimaplib is pinned exactly, and we replace what lies inside it. Each member that we override or rest on is named
here: should a new version rename one, our code would be passed by in silence."""

import inspect
from importlib.metadata import version

import aioimaplib
import pytest

from connectors.mail.client import ImapClient
from connectors.mail.protocol import ImapProtocol

OVERRIDDEN_OF_PROTOCOL = {
    "__init__",
    "_continuation",
    "_handle_line",
    "_response_done",
    "_untagged_response",
    "connection_lost",
    "connection_made",
    "data_received",
    "eof_received",
    "idle",
}
OVERRIDDEN_OF_CLIENT = {"__init__", "create_client", "wait_hello_from_server"}


def overridden(ours: type, theirs: type) -> set[str]:
    return {name for name in vars(ours) if hasattr(theirs, name) and (name == "__init__" or name[:2] != "__")}


def test_the_version_is_the_one_that_was_read() -> None:
    assert version("aioimaplib") == "2.0.3"


def test_every_member_of_the_protocol_that_we_override_is_there() -> None:
    assert overridden(ImapProtocol, aioimaplib.IMAP4ClientProtocol) == OVERRIDDEN_OF_PROTOCOL


def test_every_member_of_the_client_that_we_override_is_there() -> None:
    assert overridden(ImapClient, aioimaplib.IMAP4) == OVERRIDDEN_OF_CLIENT


def test_the_hook_that_makes_the_protocol_is_called_with_what_we_take() -> None:
    theirs = inspect.signature(aioimaplib.IMAP4.create_client)
    ours = inspect.signature(ImapClient.create_client)

    assert list(ours.parameters) == list(theirs.parameters)


@pytest.mark.parametrize(
    "name", ["AUTHENTICATE", "CAPABILITY", "EXAMINE", "FETCH", "IDLE", "LIST", "LOGIN", "LOGOUT", "NOOP", "SEARCH", "STARTTLS"]
)  # fmt: skip
def test_every_command_that_we_send_is_in_its_table(name: str) -> None:
    assert name in aioimaplib.Commands


def test_states_and_tags_are_the_library_s() -> None:
    states = (aioimaplib.CONNECTED, aioimaplib.NONAUTH, aioimaplib.AUTH, aioimaplib.SELECTED, aioimaplib.LOGOUT)
    assert states == ("CONNECTED", "NONAUTH", "AUTH", "SELECTED", "LOGOUT")
    assert callable(aioimaplib.IMAP4ClientProtocol.new_tag)
