"""Outgoing HTTP: one client for a program's life, bounded in time and in what it takes in.

`post` sends bytes and returns what came back, whatever the status; the caller decides what a status means. Redirects are
not followed, so a body with a signature goes where it was meant to and nowhere else. An answer is read up to
`ANSWER_BYTES_MAX` and no further. `get` fetches what addresses inside payloads name, which may be anybody's. Cookies are not kept, proxies of the environment are not used.

How it fails: what cannot be reached, times out or breaks off is Unavailable, with what was tried and why.
"""

import asyncio
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from types import TracebackType
from urllib.parse import urljoin, urlsplit

import aiohttp

from config.tables import Networks
from connectors.base import Unavailable

ANSWER_BYTES_MAX = 64 * 1024
CONNECTIONS_MAX = 20
TOTAL_SECONDS = 30.0
REDIRECTS_MAX = 4


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What came back. Header names are in lower case; `is_cut` says that the body was longer than we read."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool = False

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300


class Web:
    """See the module. To be used in `async with`, or closed."""

    def __init__(self, answer_bytes_max: int = ANSWER_BYTES_MAX) -> None:
        self._answer_bytes_max = answer_bytes_max
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Web":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str] | None = None, seconds: float = TOTAL_SECONDS
    ) -> WebAnswer:
        """Posts a body and returns the answer. Raises Unavailable if there is none within `seconds`."""
        try:
            async with self._open().post(
                url,
                data=body,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=seconds),
                allow_redirects=False,
            ) as answer:
                content, is_cut = await self._read(answer)
                names = {name.lower(): value for name, value in answer.headers.items()}
                return WebAnswer(answer.status, names, content, is_cut)
        except TimeoutError as error:
            raise Unavailable(f"POST to {_shown(url)} got no answer within {seconds:.0f} seconds") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(f"POST to {_shown(url)} failed: {str(error) or type(error).__name__}") from error

    async def get(
        self,
        url: str,
        *,
        login: tuple[str, str] | None = None,
        networks: Networks = (),
        trusted: Collection[str] = (),
        bytes_max: int,
        types: tuple[str, ...],
        seconds: float = TOTAL_SECONDS,
    ) -> WebAnswer:
        """Gets what strangers name: a whole answer of one of these types, from public addresses, from `networks`, or from
        hosts that are `trusted` because somebody typed them. A few redirects are followed, each looked at likewise; the
        login goes to the first host only. Raises Unavailable."""
        first = ""
        try:
            async with asyncio.timeout(seconds), self._guarded(networks, trusted) as session:
                for _ in range(REDIRECTS_MAX):
                    where = _checked(url, networks, trusted)
                    first = first or where
                    auth = aiohttp.BasicAuth(*login) if login and where == first else None
                    async with session.get(url, auth=auth, allow_redirects=False) as answer:
                        if answer.status in (301, 302, 303, 307, 308) and "location" in answer.headers:
                            url = urljoin(url, answer.headers["location"])
                            continue
                        return await _whole(answer, url, bytes_max, types)
                raise Unavailable(f"GET from {_shown(url)} was sent on more than {REDIRECTS_MAX} times")
        except TimeoutError as error:
            raise Unavailable(f"GET from {_shown(url)} got no answer within {seconds:.0f} seconds") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(f"GET from {_shown(url)} failed: {str(error) or type(error).__name__}") from error

    def _guarded(self, networks: Networks, trusted: Collection[str]) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=1, resolver=_Guarded(networks, trusted), use_dns_cache=False)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    async def close(self) -> None:
        """Closes the connections; the client opens anew if it is used again."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX), cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    async def _read(self, answer: aiohttp.ClientResponse) -> tuple[bytes, bool]:
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > self._answer_bytes_max:
                answer.close()  # the rest may be endless
                return bytes(body[: self._answer_bytes_max]), True
        return bytes(body), False


class _Guarded(aiohttp.abc.AbstractResolver):
    """Names that lead to addresses which nobody outside should make us ask are refused. It is asked for each connection, so
    that a name can't lead somewhere else between the look and the call."""

    def __init__(self, networks: Networks, trusted: Collection[str]) -> None:
        self._networks = networks
        self._trusted = trusted
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[aiohttp.abc.ResolveResult]:
        """The addresses of a name that may be asked. Raises OSError where there is none."""
        found = await self._resolver.resolve(host, port, family)
        allowed = [one for one in found if host in self._trusted or _is_allowed(one["host"], self._networks)]
        if not allowed:
            raise OSError(f"{host} leads to a private address only; `networks` of the source can allow it")
        return allowed

    async def close(self) -> None:
        """Nothing is kept."""
        await self._resolver.close()


def _is_allowed(address: str, networks: Networks) -> bool:
    found = ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return (found.is_global and not found.is_multicast) or any(found in network for network in networks)


def _checked(url: str, networks: Networks, trusted: Collection[str]) -> str:
    """Scheme, host and port of an address, which is one of the web and, where it is a number, may be asked. Raises
    ValueError and OSError. A number is never looked up, so it has to be caught here: in its usual form only, and in no
    letters that the client takes for digits and dots."""
    parts = urlsplit(url)
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.password or not host.isascii():
        raise ValueError("this is no plain address of the web")
    is_number = ":" in host or host.replace(".", "").isdigit()
    if is_number and host not in trusted and not _is_allowed(host, networks):
        raise OSError("this is a private address; `networks` of the source can allow it")
    return f"{parts.scheme}://{host}:{parts.port}"


async def _whole(answer: aiohttp.ClientResponse, url: str, bytes_max: int, types: tuple[str, ...]) -> WebAnswer:
    kind = answer.headers.get("content-type", "").lower()
    if answer.status != HTTPStatus.OK:
        raise Unavailable(f"GET from {_shown(url)} was answered with {answer.status}")
    if kind and not kind.startswith(types):
        raise Unavailable(f"GET from {_shown(url)} gave {kind[:60]!r}, which is not what was asked for")
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > bytes_max:
            raise Unavailable(f"GET from {_shown(url)} gave more than {bytes_max // 1_000_000} MB")
    return WebAnswer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, bytes(body))


def _shown(url: str) -> str:
    """Where to, without what may be secret: user, path and query stay out of messages."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.hostname}{port}"
