"""Where a mailbox is and who opens it, and the TLS that leads there."""

import contextlib
import functools
import ipaddress
import ssl
from dataclasses import dataclass, field
from typing import Literal

from connectors.mail.hosts import Door
from connectors.mail.protocol import QUIET_SECONDS
from connectors.oauth import Tokens

# Room above message_bytes_max for servers whose RFC822.SIZE counts line ends otherwise than they send them.
LITERAL_SLACK_BYTES = 1024 * 1024

Tls = Literal["implicit", "starttls", "none"]


@dataclass(frozen=True, slots=True)
class Account:
    """Where a mailbox is and who opens it. `message_bytes_max` bounds what one answer may bring."""

    host: str
    port: int
    tls: Tls
    user: str
    password: str = field(repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    message_bytes_max: int = 50_000_000
    quiet_seconds: float = QUIET_SECONDS
    tokens: Tokens | None = field(default=None, repr=False)  # in place of the password
    connections_max: int | None = None
    door: Door | None = field(default=None, repr=False)  # what its connections share; None: nothing holds them up

    @property
    def peer(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def literal_bytes_max(self) -> int:
        """The most that a server may send at once."""
        return self.message_bytes_max + self.message_bytes_max // 8 + LITERAL_SLACK_BYTES


@functools.cache
def default_context() -> ssl.SSLContext:
    """The one TLS context of this program: the system's authorities, and a megabyte less for each connection."""
    return ssl.create_default_context()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"
