"""Single values and what must hold between them."""

from collections.abc import Callable
from datetime import date, time
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from config.load import Mistakes, loads
from config.settings import Settings
from config.tables import ServerUrl
from config.telephony_settings import NEEDED, UNSIGNED

NOWHERE = Path("/nowhere")
BOX = "[[mailbox]]\nname = 'a'\naddress = 'a@example.org'\n"
MAILBOX = BOX + "imap = 'imaps://h'\npassword = 'x'\n"
PHONE = "[[telephony]]\nname = 'p'\ntype = 'generic'\nsecret = 'long-enough-for-no-warning'\n"
HOOK = "[[subscriber]]\nname = 's'\nurl = 'https://h/x'\nsecret = 'whsec_x'\n"


def read(text: str) -> Settings:
    return loads(text, NOWHERE, {"HOME": "/home/anna"}).settings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("imap = 'imaps://Mail.Example.org'", ServerUrl("imap", "mail.example.org", 993, "implicit")),
        ("imap = 'imaps://h:1993/'", ServerUrl("imap", "h", 1993, "implicit")),
        ("imap = 'imap+starttls://h'", ServerUrl("imap", "h", 143, "starttls")),
        ("imap = 'imap://127.0.0.5:1143'", ServerUrl("imap", "127.0.0.5", 1143, "none")),
        ("imap = 'imap://[::1]'", ServerUrl("imap", "::1", 143, "none")),
        ("imap = 'imap://localhost'", ServerUrl("imap", "localhost", 143, "none")),
    ],
)
def test_a_mail_server_is_read(text: str, expected: ServerUrl) -> None:
    assert read(BOX + "password = 'x'\n" + text).mailboxes[0].imap == expected


GOOD: list[tuple[str, Callable[[Settings], Any], Any]] = [
    (MAILBOX, lambda s: s.mailboxes[0].user, "a@example.org"),
    (MAILBOX + "user = 'b'", lambda s: s.mailboxes[0].user, "b"),
    (MAILBOX + "smtp = 'smtp+starttls://h'", lambda s: str(s.mailboxes[0].smtp), "smtp+starttls://h:587"),
    (MAILBOX + "since = 2026-01-31", lambda s: s.mailboxes[0].since, date(2026, 1, 31)),
    (MAILBOX + "since = '2026-01-31'", lambda s: s.mailboxes[0].since, date(2026, 1, 31)),
    (MAILBOX + "since = ''", lambda s: s.mailboxes[0].since, None),
    (MAILBOX + "folders = ['INBOX']", lambda s: s.mailboxes[0].folders, ("INBOX",)),
    (MAILBOX + "members = ['dept:sales']", lambda s: s.mailboxes[0].members, ("dept:sales",)),
    (PHONE + "allow_from = ['10.0.0.0/8', '1.2.3.4']", lambda s: s.telephony[0].allow_from,
     (ip_network("10.0.0.0/8"), ip_network("1.2.3.4/32"))),
    (PHONE + "lines = { '+74951234567' = '' }", lambda s: s.telephony[0].lines, {"+74951234567": None}),
    (PHONE + "timezone = 'UTC'", lambda s: str(s.telephony[0].timezone), "UTC"),
    (HOOK + "auth = { bearer = 'x' }", lambda s: s.subscribers[0].auth.header, ""),
    (HOOK + "events = ['*']", lambda s: s.subscribers[0].events, ("*",)),
    ("[[rule]]\nwhen = { from = 'a', direction = ['incoming', 'internal'] }\nset = { skip = true }",
     lambda s: (s.rules[0].when.from_, s.rules[0].when.direction), (("a",), ("incoming", "internal"))),
    ("[hours]\ndays = 'sat-mon,wed'", lambda s: s.hours.days, (0, 2, 5, 6)),
    ("[hours]\nfrom = 08:30:00", lambda s: s.hours.opens, time(8, 30)),
    ("[hours]\nholidays = 'my.ics'", lambda s: s.hours.holidays, NOWHERE / "my.ics"),
    ("[retention]\ninteractions = 30", lambda s: s.retention.interactions, 30),
    ("[database]\ndsn = 'postgresql://h1,h2/db'", lambda s: s.database.dsn.reveal(), "postgresql://h1,h2/db"),
    ("[http]\nlisten = '0.0.0.0:80'", lambda s: s.public_url, "http://127.0.0.1:80"),
    ("[http]\nlisten = '[::1]:80'", lambda s: s.public_url, "http://[::1]:80"),
    ("public_url = 'https://h/'", lambda s: s.public_url, "https://h"),
    ("[http]\nframe_ancestors = ['https://*.example.org/']", lambda s: s.http.frame_ancestors,
     ("https://*.example.org",)),
    ("default_region = 'de'", lambda s: s.default_region, "DE"),
    ("data_dir = '/srv'", lambda s: s.data_dir, Path("/srv")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value_of", "expected"), GOOD)
def test_a_good_value_is_ready_to_use(text: str, value_of: Callable[[Settings], Any], expected: Any) -> None:
    assert value_of(read(text)) == expected


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        (BOX + "imap = 'imap://h'\npassword = 'x'", "mailbox[0].imap", "plain imap://"),
        (BOX + "imap = 'smtps://h'\npassword = 'x'", "mailbox[0].imap", "starts with imaps://"),
        (BOX + "imap = 'imaps://u:p@h'\npassword = 'x'", "mailbox[0].imap", "must not hold a user"),
        (BOX + "imap = 'imaps://h/x'\npassword = 'x'", "mailbox[0].imap", "nothing after the port"),
        (BOX + "imap = 'imaps://h:0'\npassword = 'x'", "mailbox[0].imap", "port"),
        (BOX + "imap = 'imaps://h:99999'\npassword = 'x'", "mailbox[0].imap", "is no address"),
        (BOX + "imap = 'imaps://[h'\npassword = 'x'", "mailbox[0].imap", "is no address"),
        (MAILBOX + "smtp = 'smtp://mail.example.org'", "mailbox[0].smtp", "plain smtp://"),
        (BOX + "imap = 'imaps://h'", "mailbox[0]", "needs a password or oauth"),
        (MAILBOX + "oauth = { provider = 'google', client_id = 'x' }", "mailbox[0].oauth", "keep one of the two"),
        (BOX + "imap = 'imaps://h'\noauth = { provider = 'custom', client_id = 'x' }", "mailbox[0].oauth.token_url",
         "is needed"),
        (MAILBOX + "folders = ['-Junk']", "mailbox[0].folders", "leaves out every folder"),
        (MAILBOX + "folders = '*'", "mailbox[0].folders", "must be a list"),
        (MAILBOX + "tls_ca = 'none.pem'", "mailbox[0].tls_ca", "there is no file"),
        (MAILBOX + "since = 'soon'", "mailbox[0].since", "must be a date"),
        (MAILBOX + "connections = 0", "mailbox[0].connections", "at least 1"),
        (MAILBOX.replace("'a'", "'A'"), "mailbox[0].name", "is no name"),
        (MAILBOX.replace("a@example.org", "a"), "mailbox[0].address", "is no e-mail address"),
        (MAILBOX.replace("'x'", "'env:NONE'"), "mailbox[0].password", "'NONE' is not set"),
        (MAILBOX + MAILBOX, "mailbox[1].name", "name of mailbox[0] already"),
        (MAILBOX.replace("'a'", "'p'") + PHONE, "telephony[0].name", "name of mailbox[0] already"),
        (PHONE.replace("secret", "#"), "telephony[0].secret", "needs secret"),
        (PHONE.replace("secret", "allow_unsigned = true #"), "telephony[0].secret", "needs secret"),
        (PHONE + "timezone = 'Moon/Base'", "telephony[0].timezone", "is no time zone"),
        (PHONE + "networks = ['10.0.0.1/8']", "telephony[0].networks[0]", "is no network"),
        (PHONE + "port = 0", "telephony[0].port", "at least 1"),
        (PHONE + "lines = { '+7495' = 'x' }", "telephony[0].lines.'+7495'", "e-mail"),
        (PHONE + "lines = { '&' = '' }", "telephony[0].lines.'&'", "one of our numbers"),
        (PHONE + "lines = ''", "telephony[0].lines", "must be a table: { … }"),
        (HOOK + "auth = { bearer = 'x', header = 'h', value = 'v' }", "subscriber[0].auth", "takes one of"),
        (HOOK + "auth = { header = 'h' }", "subscriber[0].auth", "go together"),
        (HOOK + "events = ['call.rang']", "subscriber[0].events[0]", "names no event"),
        (HOOK + "only = { person = ['x'] }", "subscriber[0].only.person", "unknown key"),
        ("[[rule]]\nset = {}", "rule[0].set", "sets nothing"),
        ("[[rule]]\nwhen = {}", "rule[0].set", "is missing"),
        ("[[directory]]\nname = 'd'\ntype = 'ldap'\nurl = 'http://h'", "directory[0].type", "one of '1c_odata'"),
        ("[hours]\ndays = 'mon-foo'", "hours.days", "must be days"),
        ("[hours]\nto = '08:00'", "hours.to", "later than from"),
        ("[hours]\nfrom = '25:00'", "hours.from", "must be a time"),
        ("[hours]\nholidays = 'de'", "hours.holidays", ".ics"),
        ("[retention]\ninteractions = 0", "retention.interactions", "forever"),
        ("[database]\ndsn = 'mysql://h'", "database.dsn", "postgresql://"),
        ("[database]\ndsn = 'env:NONE'", "database.dsn", "'NONE' is not set"),
        ("[http]\nlisten = '8025'", "http.listen", "address and a port"),
        ("[http]\nlisten = 'h:70000'", "http.listen", "address and a port"),
        ("[http]\nframe_ancestors = ['https://h/path']", "http.frame_ancestors[0]", "origin"),
        ("[login]\nsecret_key = 'file:other.key'", "login.secret_key", "does not exist"),
        ("[contacts]\ndefault_area_code = '+7'", "contacts.default_area_code", "digits"),
        ("default_region = 'XX'", "default_region", "country"),
        ("timezone = '../etc/passwd'", "timezone", "is no time zone"),
        ("public_url = 'crm.example.org'", "public_url", "https://"),
        ("public_url = 'https://h/?a=1'", "public_url", "?query"),
    ],
)  # fmt: skip
def test_a_bad_value_is_one_mistake_that_says_what_is_allowed(text: str, path: str, said: str) -> None:
    with pytest.raises(Mistakes) as caught:
        read(text)

    (mistake,) = caught.value.mistakes
    assert mistake.path == path
    assert said in mistake.message


@pytest.mark.parametrize("provider", sorted(NEEDED))
def test_a_provider_without_its_proof_is_a_mistake(provider: str) -> None:
    with pytest.raises(Mistakes) as caught:
        read(f"[[telephony]]\nname = 'p'\ntype = '{provider}'")

    said = {mistake.path for mistake in caught.value.mistakes}
    wanted = {f"telephony[0].{group[0]}" for group in NEEDED[provider]}
    assert said == wanted | ({"telephony[0].allow_unsigned"} if provider in UNSIGNED else set())


def test_settings_never_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read("").language = "en"  # type: ignore[misc]
