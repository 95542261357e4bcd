"""A telephone company that posts calls and SMS as signed webhooks, remembers what was acknowledged, and gives up at times.

Each message keeps its id however often it is posted. Most are posted until they are taken; the impatient ones once, and
whether those are kept is known only if they were acknowledged. Answers that no provider may get are counted as wrong:
anything but a 2xx, or a 503 that says when to come again.
"""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
from standardwebhooks import Webhook

from tests.fakes.daemon import LINE, SECRET

PAUSE_SECONDS = 0.05
POST_SECONDS = 15.0
TRIES_MAX = 2000


@dataclass(frozen=True)
class Message:
    """One webhook. `key` names the call or SMS it belongs to."""

    id: str
    kind: str
    key: str
    body: bytes

    def headers(self) -> dict[str, str]:
        """What proves it, as the reference implementation of Standard Webhooks signs it."""
        now = datetime.now(UTC)
        return {
            "webhook-id": self.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(SECRET).sign(self.id, now, self.body.decode()),
            "content-type": "application/json",
        }


def _message(message_id: str, kind: str, key: str, payload: dict[str, Any]) -> Message:
    return Message(message_id, kind, key, json.dumps(payload, ensure_ascii=False).encode())


def call(number: int) -> list[Message]:
    """The three events of an answered call."""
    key = f"call-{number}"
    common = {"callId": key, "direction": "in", "from": f"+7495{number:07}", "to": LINE}
    events: list[dict[str, Any]] = [
        {"event": "newCall", "at": "2026-11-23T10:00:00Z"},
        {"event": "answer", "at": "2026-11-23T10:00:05Z"},
        {"event": "hangup", "at": "2026-11-23T10:00:35Z", "cause": "normalClearing"},
    ]
    return [_message(f"msg-{key}-{one['event']}", "call", key, {**common, **one}) for one in events]


def sms(number: int) -> list[Message]:
    key = f"sms-{number}"
    text = {
        "event": "sms",
        "id": key,
        "direction": "in",
        "from": f"+7916{number:07}",
        "to": LINE,
        "text": f"Жду {number}",
    }
    return [_message(f"msg-{key}", "sms", key, text)]


def _web() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(POST_SECONDS))


@dataclass
class Telephone:
    """Posts messages to whoever `url` names at the moment; None means that nobody listens."""

    url: Callable[[], str | None]
    rng: random.Random
    acknowledged: set[Message] = field(default_factory=set)
    posted: set[Message] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    asked_to_wait: int = 0
    unanswered: int = 0

    async def live(self, at_once: int = 4, until: asyncio.Event | None = None) -> None:
        """Makes calls and SMS until told to stop, then brings what was begun to its end."""
        until = until or asyncio.Event()
        numbers = iter(range(1_000_000))

        async def worker(web: aiohttp.ClientSession) -> None:
            while not until.is_set():
                number = next(numbers)
                messages = call(number) if number % 3 else sms(number)
                self.rng.shuffle(messages)
                is_impatient = number % 5 == 0
                await asyncio.gather(*(self.post(web, one, 1 if is_impatient else TRIES_MAX) for one in messages))
                await asyncio.sleep(self.rng.uniform(0, PAUSE_SECONDS))

        async with (
            _web() as web,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(at_once):
                group.create_task(worker(web))

    async def post_all(self, messages: Sequence[Message], at_once: int = 8) -> None:
        """Posts these, in their order, several at a time."""
        waiting = iter(messages)

        async def worker(web: aiohttp.ClientSession) -> None:
            for one in waiting:
                await self.post(web, one)

        async with _web() as web, asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker(web))

    async def post(self, web: aiohttp.ClientSession, message: Message, tries: int = TRIES_MAX) -> bool:
        """Posts a message until it is taken; whether it was."""
        for _ in range(tries):
            url = self.url()
            if url is None:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            self.posted.add(message)
            try:
                async with web.post(f"{url}/hooks/main", data=message.body, headers=message.headers()) as answer:
                    await answer.read()
            except (aiohttp.ClientError, TimeoutError, OSError):
                self.unanswered += 1
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if 200 <= answer.status < 300:
                self.acknowledged.add(message)
                return True
            if answer.status != 503 or "Retry-After" not in answer.headers:
                self.wrong.append(f"{answer.status} for {message.id}")
                return False
            self.asked_to_wait += 1
            await asyncio.sleep(PAUSE_SECONDS)
        return False

    def keys(self, kind: str, *, whole: bool) -> set[str]:
        """The calls or SMS of which everything was acknowledged, or of which anything was posted."""
        if not whole:
            return {one.key for one in self.posted if one.kind == kind}
        needed = 3 if kind == "call" else 1
        acknowledged = [one.key for one in self.acknowledged if one.kind == kind]
        return {key for key in acknowledged if acknowledged.count(key) == needed}
