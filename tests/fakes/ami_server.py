"""A manager interface of Asterisk: lets one user in, tells of events, and breaks off where it is told to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from hashlib import md5

from interactions.records import Json

USER, PASSWORD, CHALLENGE = "ringmail", "hush-hush", "840415273"
BANNER = "Asterisk Call Manager/9.0.0"


def block(fields: dict[str, str]) -> str:
    """One message on the wire."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"


class AmiServer:
    """Plays one part of `parts` to each connection that logs in, then closes it; the last one is kept open.

    `channels` are what CoreShowChannels lists: a list for each connection."""

    def __init__(
        self, parts: Sequence[str], channels: Sequence[Sequence[dict[str, str]]] = (), banner: str = BANNER
    ) -> None:
        self.parts, self.channels, self.banner = list(parts), list(channels), banner
        self.logins = 0
        self.actions: list[dict[str, str]] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def listen(self) -> AsyncIterator["AmiServer"]:
        """Listens on a port of the system's choice."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self._tasks.add(task)
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await task
        writer.close()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(f"{self.banner}\r\n".encode())
            while (action := await self._action(reader)) is not None:
                self.actions.append(action)
                text, ends = self._answer(action)
                writer.write(text.encode())
                await writer.drain()
                if ends:
                    break

    async def _action(self, reader: asyncio.StreamReader) -> dict[str, str] | None:
        fields: dict[str, str] = {}
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            name, _, value = line.partition(": ")
            fields[name] = value
        return fields or None

    def _answer(self, action: dict[str, str]) -> tuple[str, bool]:
        """What is said to an action, and whether the connection ends then."""
        mark = {"ActionID": action["ActionID"]} if "ActionID" in action else {}
        if action["Action"] == "Challenge":
            return block({"Response": "Success", **mark, "Challenge": CHALLENGE}), False
        if action["Action"] == "Login":
            proof = md5(f"{CHALLENGE}{PASSWORD}".encode(), usedforsecurity=False).hexdigest()
            if (action["Username"], action["Key"]) != (USER, proof):
                return block({"Response": "Error", **mark, "Message": "Authentication failed"}), True
            self.logins += 1
            return block({"Event": "FullyBooted", "Status": "Fully Booted"}) + block(
                {"Response": "Success", **mark, "Message": "Authentication accepted"}
            ), False
        if action["Action"] == "CoreShowChannels":
            n = self.logins - 1
            shown = self.channels[n] if n < len(self.channels) else []
            listed = "".join(block({"Event": "CoreShowChannel", **mark, **one}) for one in shown)
            text = block({"Response": "Success", **mark, "EventList": "start"}) + listed
            text += block({"Event": "CoreShowChannelsComplete", **mark, "EventList": "Complete"})
            text += self.parts[n] if n < len(self.parts) else ""
            return text, n < len(self.parts) - 1
        return block({"Response": "Success", **mark, "Ping": "Pong"}), False


def channels_in(state: Json) -> set[str]:
    """The channels that a checkpoint knows."""
    live = state["live"]
    assert isinstance(live, dict)
    return set(live)
