"""The telephone company of the demonstration: calls and SMS, posted as signed webhooks to the daemon (Standard Webhooks).

    an incoming call    newCall, then answer and hangup; or hangup alone: missed, or busy
    an outgoing call    the same, from our line
    an SMS              sms; of ours, smsStatus a little later

Numbers are spelled otherwise than in the contact list, in four ways. A post that fails is repeated a few times with the
same id, as providers do; then it is counted as lost.
"""

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import uuid4

from connectors.base import Unavailable
from connectors.telephony.signatures import sign_standard
from connectors.web import Web
from daemon.demo import texts_other as other
from daemon.demo.correspondence import DAY_BEGINS, MOSCOW, after_working_hours, words_of
from daemon.demo.people import (
    LINE_SALES,
    LINE_SERVICE,
    PARTNER_BY_REF,
    PERSONS,
    STRANGERS_PHONES,
    USER_BY_KEY,
    Person,
    User,
)
from daemon.demo.stories import Slots, fill
from interactions.phones import phone_key

Payload: TypeAlias = dict[str, Any]

ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.5
POST_SECONDS = 10.0
HISTORY_DAYS = 30
HISTORY_CALLS = 40
HISTORY_SMS = 24
REGION = "RU"


@dataclass(frozen=True, slots=True)
class Stage:
    """One webhook of a call or SMS: what it says, and how many seconds after the stage before."""

    after_seconds: float
    payload: Payload


class Traffic:
    """Makes calls and SMS up, one after another, from a random generator."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def history(self, now: datetime) -> list[Payload]:
        """Calls and SMS of the last weeks in working hours, each stage with its `at`."""
        done: list[Payload] = []
        kinds = ["call"] * HISTORY_CALLS + ["sms"] * HISTORY_SMS
        self._rng.shuffle(kinds)
        for n, kind in enumerate(kinds):
            days_ago = HISTORY_DAYS * (len(kinds) - n - self._rng.random()) / len(kinds)
            day = (now - timedelta(days=days_ago)).astimezone(MOSCOW).date()
            at = after_working_hours(datetime.combine(day, DAY_BEGINS, MOSCOW), self._rng.random() * 9)
            # The telephone company reports nothing from the future.
            at = min(at, now - timedelta(minutes=10 + 7 * (len(kinds) - n)))
            for stage in self.next_call() if kind == "call" else self.next_sms():
                longer = self._rng.uniform(1, 9) if stage.payload["event"] == "hangup" else 1.0
                at += timedelta(seconds=stage.after_seconds * longer)
                done.append({**stage.payload, "at": said(at)})
        return sorted(done, key=lambda payload: payload["at"])

    def next_call(self) -> list[Stage]:
        """The stages of a call; without `at`."""
        chance = self._rng.random()
        person, number = self._other_side()
        user, line = self._our_side(person)
        is_out = chance < 0.3 and person is not None
        call_id = f"{self._rng.getrandbits(48):012x}"
        ours, theirs = self._spelled(line), number
        common = {"callId": call_id, "direction": "out" if is_out else "in"}
        common |= {"from": ours, "to": theirs} if is_out else {"from": theirs, "to": ours}
        rings = [user.extension]
        if not is_out and self._rng.random() < 0.3:
            rings = sorted({user.extension, "102"})
        stages = [Stage(0, {"event": "newCall", **common, "user": rings})]
        ring = self._rng.uniform(2, 7)
        fate = self._rng.random()
        if fate < 0.68:
            talk = self._rng.choice((self._rng.uniform(9, 25), self._rng.uniform(25, 45)))
            stages.append(Stage(ring, {"event": "answer", **common, "answeringNumber": user.extension}))
            stages.append(Stage(talk, {"event": "hangup", **common, "cause": "normalClearing"}))
        else:
            cause = "busy" if fate > 0.92 else ("noAnswer" if is_out else "cancel")
            stages.append(Stage(1.0 if cause == "busy" else ring * 2, {"event": "hangup", **common, "cause": cause}))
        return stages

    def next_sms(self) -> list[Stage]:
        """An SMS, and what became of it if it is ours; without `at`."""
        person, number = self._other_side()
        user, line = self._our_side(person)
        now = datetime.now(UTC).astimezone(MOSCOW).date()
        words = {**words_of(self._rng, self._rng.randrange(1, 90), now, person), "user": user.called.split()[0]}
        sms_id = f"s{self._rng.getrandbits(48):012x}"
        if person is None:
            text = self._rng.choice(other.SMS_STRANGER)
            if number == "anonymous":  # nobody hides behind an SMS
                number = STRANGERS_PHONES[0]
            return [Stage(0, _sms(sms_id, "in", number, self._spelled(line), text))]
        words |= {"name": person.called}
        is_out = self._rng.random() < 0.4
        if person.language == "en":
            words["user"] = user.called_en
            texts: Sequence[str] = other.SMS_OUT_EN if is_out else other.SMS_IN_EN
        else:
            texts = other.SMS_OUT if is_out else other.SMS_IN
        slots = Slots(words, now, person.language, person.is_female)
        text = fill(self._rng.choice(texts), slots, self._rng)
        if not is_out:
            return [Stage(0, _sms(sms_id, "in", number, self._spelled(line), text))]
        return [
            Stage(0, _sms(sms_id, "out", self._spelled(line), number, text)),
            Stage(self._rng.uniform(2, 5), {"event": "smsStatus", "id": sms_id, "status": "delivered"}),
        ]

    def _other_side(self) -> tuple[Person | None, str]:
        """Somebody we know with one of their numbers, sometimes their firm's; now and then a stranger."""
        if self._rng.random() < 0.14:
            return None, self._rng.choice(STRANGERS_PHONES)
        person = self._rng.choice(PERSONS)
        firm = PARTNER_BY_REF[person.partner].phones if person.partner else ()
        phones = firm if firm and self._rng.random() < 0.15 else person.phones
        key = phone_key(self._rng.choice(phones), REGION)
        assert key is not None
        return person, self._spelled(key.value)

    def _our_side(self, person: Person | None) -> tuple[User, str]:
        key = person.manager if person else "anna"
        if person and not person.partner and self._rng.random() < 0.5:
            key = "vera"
        return USER_BY_KEY[key], LINE_SERVICE if key == "vera" else LINE_SALES

    def _spelled(self, number: str) -> str:
        """A number as a telephone exchange writes it."""
        digits = number.lstrip("+")
        if not digits.startswith("7"):
            return self._rng.choice((number, f"00{digits}", digits))
        area, rest = digits[1:4], digits[4:]
        local = f"8 ({area}) {rest[:3]}-{rest[3:5]}-{rest[5:]}"
        return self._rng.choice((number, digits, f"8{digits[1:]}", local))


def _sms(sms_id: str, direction: str, from_number: str, to_number: str, text: str) -> Payload:
    return {"event": "sms", "id": sms_id, "direction": direction, "from": from_number, "to": to_number, "text": text}


def said(at: datetime) -> str:
    """A moment as the telephone company writes it: RFC 3339, in its own time zone."""
    return at.astimezone(MOSCOW).isoformat(timespec="seconds")


class Telephone:
    """Posts payloads to the daemon. `sent` and `lost` count them."""

    def __init__(self, web: Web, url: str, secret: str) -> None:
        self._web = web
        self._url = url
        self._secret = secret
        self.sent = 0
        self.lost = 0

    async def post(self, payload: Mapping[str, Any]) -> bool:
        """Posts one payload until it is taken; whether it was."""
        body = json.dumps(payload, ensure_ascii=False).encode()
        message_id = f"msg_{uuid4().hex}"
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(pause)
                pause *= 2
            headers = sign_standard(self._secret, message_id, datetime.now(UTC), body)
            headers["content-type"] = "application/json; charset=utf-8"
            try:
                answer = await self._web.post(self._url, body, headers, POST_SECONDS)
            except Unavailable:
                continue
            if answer.is_ok:
                self.sent += 1
                return True
            if 400 <= answer.status < 500 and answer.status not in (408, 429):
                break
        self.lost += 1
        return False

    async def play(self, stages: Sequence[Stage], speed: float = 1.0) -> None:
        """Posts the stages of a call or SMS, each at its time."""
        for stage in stages:
            await asyncio.sleep(stage.after_seconds / speed)
            await self.post({**stage.payload, "at": said(datetime.now(UTC))})
