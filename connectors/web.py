"""Outgoing HTTP: one client for a program's life, bounded in time and in what it takes in.

`post` sends bytes and returns what came back, whatever the status; the caller decides what a status means. Redirects are
not followed, so a body with a signature goes where it was meant to and nowhere else. An answer is read up to
`ANSWER_BYTES_MAX` and no further. Cookies are not kept, proxies of the environment are not used.

How it fails: what cannot be reached, times out or breaks off is Unavailable, with what was tried and why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

import aiohttp

from connectors.base import Unavailable

ANSWER_BYTES_MAX = 64 * 1024
CONNECTIONS_MAX = 20
TOTAL_SECONDS = 30.0


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


def _shown(url: str) -> str:
    """Where to, without what may be secret: user, path and query stay out of messages."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.hostname}{port}"
