"""What mail servers do differently, as data: one table, by the name of the host and by how a server greets.

A company's own domain often lies with a provider, under a host name of its own; so a row is found by the end of the host
name first, then by words of the greeting, then by a capability that only this server has. What no row says is as
everywhere: `Quirks()`. Each row names where the knowledge is from and of when.

The same for all servers, because some need it and none minds: mails are asked for as BODY.PEEK[] by UID and never as
RFC822 (iCloud answers OK and nothing); no CHARSET in SEARCH; never a search by header (Yahoo: SERVERBUG); commands below
4 kB (Exchange: "Command Error 10").
"""

from collections.abc import Collection
from dataclasses import dataclass

IDLE_SECONDS = 540.0


@dataclass(frozen=True, slots=True)
class Quirks:
    """How to treat a server. `idle_seconds`: IDLE is begun anew so often. `idles`: it is worth trying at all.
    `connections`: at most, to one account. `tells_who`: ID (RFC 2971) comes after the login, or nothing opens.
    `noop_counts`: as a sign of life; else STATUS is. `esearch`: its ESEARCH can be trusted.
    `commands_a_second`: of one account."""

    idle_seconds: float = IDLE_SECONDS
    idles: bool = True
    connections: int | None = None
    tells_who: bool = False
    noop_counts: bool = True
    esearch: bool = True
    commands_a_second: float | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    hosts: tuple[str, ...]  # ends of host names, whole labels
    greetings: tuple[bytes, ...]
    capabilities: frozenset[str]
    quirks: Quirks


def _row(hosts: str, quirks: Quirks, greetings: tuple[bytes, ...] = (), capabilities: str = "") -> _Row:
    return _Row(tuple(hosts.split()), greetings, frozenset(capabilities.split()), quirks)


_TABLE = (
    # IDLE goes quiet and is cut at 300 s, so it is broken off every 3 minutes; only few connections, so folders are read in
    # turn on one: EmailEngine's table of 2026; lefcha/imapfilter#311; maathimself/mailflow#433 and #474.
    _row(
        "yahoo.com aol.com yahoodns.net yahoo.co.jp",
        Quirks(idle_seconds=180.0, connections=1),
        (b"imapgate",),
        "XYMHIGHESTMODSEQ",
    ),
    # Forgets an IDLE within a minute: EmailEngine's table of 2026.
    _row("rambler.ru lenta.ru autorambler.ru myrambler.ru ro.ru", Quirks(idle_seconds=55.0)),
    # No IDLE; NOOP is no sign of life; EXAMINE answers "Unsafe Login" until ID has told who we are: EmailEngine's table of
    # 2026; mscdex/node-imap#908 (2023); OfflineIMAP/offlineimap3#71 (2021); pimalaya/himalaya#651 (2026).
    _row(
        "163.com 126.com yeah.net 188.com netease.com",
        Quirks(idle_seconds=55.0, idles=False, tells_who=True, noop_counts=False),
        (b"Coremail",),
    ),
    # Drops IDLE after some minutes without a word: mjs/imapclient#234.
    _row("yandex.ru yandex.com yandex.net yandex-team.ru", Quirks(idle_seconds=240.0)),
    # 15 connections at a time, all programs of the person together: jan-imapsync/imapsync#61.
    _row("gmail.com googlemail.com", Quirks(connections=5), (b"Gimap ready",), "X-GM-EXT-1"),
    # "Request is throttled. Suggested Backoff Time"; sessions that are closed linger and count: imapsync#212 and #272,
    # mscdex/node-imap#523 and #689.
    _row(
        "office365.com outlook.com hotmail.com live.com",
        Quirks(connections=3, commands_a_second=10.0),
        (b"Microsoft Exchange IMAP4",),
    ),
    # ESEARCH is answered without its numbers: nextcloud/mail#9454, Wh1isper/mcp-email-server#236.
    _row("me.com icloud.com mac.com", Quirks(esearch=False), capabilities="XAPPLELITERAL"),
    # Logins are counted per account and time: eclipse-ee4j/angus-mail#194 and #195.
    _row("gmx.net gmx.com web.de mailbox.org", Quirks(connections=2)),
)
_PLAIN = Quirks()


def of_host(host: str) -> Quirks | None:
    """What is known of a host by its name; None: nothing."""
    name = host.lower().rstrip(".")
    for row in _TABLE:
        if any(name == end or name.endswith(f".{end}") for end in row.hosts):
            return row.quirks
    return None


def of_server(host: str, greeting: bytes, capabilities: Collection[str]) -> Quirks:
    """What is known of the server that answers there."""
    known = of_host(host)
    if known is not None:
        return known
    for row in _TABLE:
        if any(words in greeting for words in row.greetings) or row.capabilities & set(capabilities):
            return row.quirks
    return _PLAIN
