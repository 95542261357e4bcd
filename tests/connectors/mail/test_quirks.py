"""Servers are known by the name of the host, by their greeting, or by what only they can do."""

import pytest

from connectors.mail.quirks import Quirks, of_host, of_server

PLAIN = Quirks()


@pytest.mark.parametrize(
    ("host", "greeting", "capabilities", "expected"),
    [
        ("imap.mail.yahoo.com", b"", (), Quirks(idle_seconds=180.0, connections=1)),
        ("IMAP.AOL.COM.", b"", (), Quirks(idle_seconds=180.0, connections=1)),
        ("imap.company.example", b"* OK [CAPABILITY IMAP4rev1] IMAP4rev1 imapgate-1.8", (),
         Quirks(idle_seconds=180.0, connections=1)),
        ("imap.company.example", b"", ("IMAP4REV1", "XYMHIGHESTMODSEQ"), Quirks(idle_seconds=180.0, connections=1)),
        ("imap.rambler.ru", b"", (), Quirks(idle_seconds=55.0)),
        ("imap.163.com", b"", (), Quirks(idle_seconds=55.0, idles=False, tells_who=True, noop_counts=False)),
        ("imap.mail.me.com", b"", (), Quirks(esearch=False)),
        ("imap.gmail.com", b"", (), Quirks(connections=5)),
        ("imap.company.example", b"* OK ready", ("X-GM-EXT-1",), Quirks(connections=5)),
        ("imap.company.example", b"* OK The Microsoft Exchange IMAP4 service is ready.", (),
         Quirks(connections=3, commands_a_second=10.0)),
        ("imap.company.example", b"* OK Dovecot ready.", ("IMAP4REV1", "IDLE"), PLAIN),
        ("notyahoo.com", b"", (), PLAIN),
        ("yahoo.com.example.org", b"", (), PLAIN),
        ("", b"", (), PLAIN),
    ],
)  # fmt: skip
def test_servers(host: str, greeting: bytes, capabilities: tuple[str, ...], expected: Quirks) -> None:
    assert of_server(host, greeting, capabilities) == expected


def test_a_host_that_nobody_knows_has_no_row() -> None:
    assert of_host("imap.example.org") is None
