"""Asterisk and what is built on it (FreePBX, Issabel, …): events of the manager interface, for as long as we listen.

A channel is one telephone's part in a call; `Linkedid`, the `Uniqueid` of the oldest channel, is the call. When two calls
are joined by a transfer the older `Linkedid` replaces the other, so each event names both ids of its channel, and what
were two records becomes one. Local channels are Asterisk's own and no participants.

    Newchannel (the oldest)            the call begins: from a trunk it comes in, from a telephone of ours it goes out
    Newexten, QueueCallerJoin          a menu, a queue or the voice mail has the caller: no answer
    DialBegin, DialEnd                 a telephone rings; it was answered, busy, cancelled, …
    BridgeEnter (as second or later)   two are talking: an answer too, after a pick-up or a transfer
    Hangup                             a leg has left; with the last channel of the call it has ended

A channel is ours when its device is an extension: configured, or of six digits and fewer (`PJSIP/101-0000001f`).

Asterisk repeats nothing. After each connection we ask which channels there are (`CoreShowChannels`): a call that we
knew and that is gone has ended in the meantime, and is closed without a reason. When we did not listen is kept with the
checkpoint and said in the source's state. What was read and not yet stored when the database failed is stored first at
the next start.

Limits: calls that began and ended while nobody listened are not known. Times are Asterisk's with `timestampevents = yes`
in manager.conf, else those of receipt. Recordings are not looked for. A trunk whose name is a short number looks like
a telephone of ours; give trunks names with letters.
"""

import re
import ssl
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.base import BATCH_COUNT_MAX, Batch, Checkpoint, Intake, Report
from connectors.telephony.ami import Account, Connection, Message
from connectors.telephony.fields import digest, read_time
from interactions.arrivals import CallChanged
from interactions.records import Direction, Json, JsonValue

MARK = "ami"
MARK_EACH = timedelta(minutes=1)
LIVE_MAX = 5000
GAPS_MAX = 20
HELD_MAX = 20_000
SHORT_CHARS_MAX = 255
EXTENSION_DIGITS_MAX = 6
_DEVICE = re.compile(r"[A-Za-z0-9_]+/(?:[^@/]*/)*([^@/]+?)(?:@.*)?-[0-9a-f]+(?:;\d)?\Z")
_DIGITS = re.compile(r"\+?[0-9*#]{1,32}\Z")
_NUMBER = re.compile(r"\+?[0-9]{3,20}")
_DIAL_CAUSES = {
    "BUSY": "busy", "NOANSWER": "noAnswer", "CANCEL": "cancel", "ABORT": "cancel", "CHANUNAVAIL": "congestion",
    "CONGESTION": "congestion",
}  # fmt: skip
# ITU-T Q.850
_HANGUP_CAUSES = {
    "1": "notFound", "16": "normalClearing", "17": "busy", "18": "noAnswer", "19": "noAnswer", "20": "congestion",
    "21": "rejected", "22": "notFound", "27": "congestion", "28": "notFound", "34": "congestion", "38": "congestion",
}  # fmt: skip
_VOICEMAIL = frozenset({"voicemail", "voicemailmain"})
_MACHINES = frozenset({"queue", "background", "playback", "read", "ivr", "directory", "waitexten", "musiconhold"})


@dataclass(frozen=True, slots=True)
class AsteriskSettings:
    """One `[[telephony]]` table of type asterisk. `extensions` are devices that are ours whatever their names look like."""

    name: str
    host: str
    port: int
    user: str
    password: str
    ssl_context: ssl.SSLContext | None = None
    extensions: frozenset[str] = frozenset()


class Asterisk:
    """The `Source` of an Asterisk. Keeps what was read and not stored, and nothing else, between runs."""

    def __init__(self, settings: AsteriskSettings, account: Account | None = None) -> None:
        self.settings = settings
        self._account = account or Account(
            settings.host, settings.port, settings.user, settings.password, settings.ssl_context
        )
        self._held: list[CallChanged] = []
        self._marked_at = datetime.min.replace(tzinfo=UTC)

    async def check(self) -> str:
        """Logs in, and out again."""
        async with Connection.open(self._account) as connection:
            return f"{connection.banner} at {self._account.peer} lets {self._account.user} in and will tell of calls"

    async def run(self, intake: Intake) -> None:
        """Listens until cancelled. See the module."""
        follower = Follower(self.settings, await intake.checkpoint(MARK))
        await self._store(intake, follower)
        await intake.report(Report("catching_up", f"logging in at {self._account.peer}"))
        async with Connection.open(self._account) as connection:
            connection.send({"Action": "CoreShowChannels", "ActionID": "channels"})
            async with aclosing(connection.messages()) as coming:
                async for messages in coming:
                    await self._take(intake, follower, messages)

    async def _take(self, intake: Intake, follower: "Follower", messages: Sequence[Message]) -> None:
        now = datetime.now(UTC)
        for message in messages:
            was_listening = follower.is_listening
            self._held += follower.read(message, now)
            if follower.is_listening and not was_listening:
                await intake.report(Report("ok", follower.told()))
        await self._store(intake, follower)

    async def _store(self, intake: Intake, follower: "Follower") -> None:
        """Stores what was read, and at times that we listened. What can't be stored now is kept for the next run."""
        del self._held[HELD_MAX:]
        while self._held:
            some = self._held[:BATCH_COUNT_MAX]
            is_last = len(some) == len(self._held)
            await intake.accept(Batch(some, Checkpoint(MARK, follower.state()) if is_last else None))
            del self._held[: len(some)]
            self._marked_at = follower.heard_at
        if follower.heard_at - self._marked_at > MARK_EACH:
            await intake.accept(Batch([], Checkpoint(MARK, follower.state())))
            self._marked_at = follower.heard_at


class Follower:
    """Messages → facts about calls; knows which channels live. Plain, without I/O."""

    def __init__(self, settings: AsteriskSettings, state: Json | None) -> None:
        self._settings = settings
        known: Mapping[str, Any] = state or {}
        self._live: dict[str, str] = dict(known.get("live") or {})
        self._gaps: list[list[str]] = list(known.get("gaps") or [])
        self._since = str(known.get("at") or "")
        self._causes: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        self._begun: set[str] = set()
        self._left: set[str] = set()
        self.heard_at = read_time(self._since) or datetime.min.replace(tzinfo=UTC)
        self.is_listening = False

    def state(self) -> Json:
        """What the next run has to know."""
        live: dict[str, JsonValue] = dict(list(self._live.items())[-LIVE_MAX:])
        at = self.heard_at.isoformat(timespec="seconds") if self.is_listening else self._since
        return {"live": live, "gaps": [[*gap] for gap in self._gaps], "at": at}

    def told(self) -> str:
        """How we are, in words."""
        if not self._gaps:
            return "calls are told of as they happen"
        since, until = self._gaps[-1]
        return f"calls are told of as they happen; from {since} to {until} nobody listened, calls of that time may be missing"

    def read(self, message: Message, now: datetime) -> Sequence[CallChanged]:
        """The facts in one message."""
        event = message.get("event", "").casefold()
        self.heard_at = now
        if event == "coreshowchannel":
            self._shown[message.get("uniqueid", "")] = message.get("linkedid", "")
        if event == "coreshowchannelscomplete":
            return self._after_gap(now)
        read = {
            "newchannel": self._begins, "dialbegin": self._rings, "dialend": self._dialled, "bridgeenter": self._bridged,
            "newexten": self._runs, "queuecallerjoin": self._queued, "hangup": self._hangs_up,
        }.get(event)  # fmt: skip
        if read is None or not message.get("linkedid") or not message.get("uniqueid"):
            return []
        for prefix in ("", "dest"):
            one, call = message.get(f"{prefix}uniqueid", ""), message.get(f"{prefix}linkedid", "")
            if one and call and event != "hangup":
                self._live[one] = call
                if not self.is_listening:
                    self._begun.add(one)
        return read(message, now)

    def _after_gap(self, now: datetime) -> list[CallChanged]:
        """Closes the calls of which no channel is there any more, and goes on with what is there."""
        self.is_listening = True
        if self._since:
            self._gaps = [*self._gaps, [self._since, now.isoformat(timespec="seconds")]][-GAPS_MAX:]
        there = {
            one: call for one, call in {**self._live, **self._shown}.items() if one in self._shown or one in self._begun
        }
        alive = {self._live.get(one, call) for one, call in there.items()} | set(there.values())
        gone = sorted(set(self._live.values()) - alive)
        self._live = {one: call for one, call in there.items() if one not in self._left}
        self._shown, self._begun, self._left = {}, set(), set()
        return [
            CallChanged(self._settings.name, call, "gone", "ended", now, extra={"after_gap": True}) for call in gone
        ]

    # ---- one kind of event each

    def _begins(self, message: Message, now: datetime) -> list[CallChanged]:
        if message["uniqueid"] != message["linkedid"] or _is_local(message):
            return []
        caller, dialled = _number(message.get("calleridnum", "")), _number(message.get("exten", ""))
        who = self._extension(message.get("channel", ""))
        if not who:
            return [self._fact("ringing", message, now, Direction.INCOMING, caller, dialled)]
        line = caller if len(caller) > EXTENSION_DIGITS_MAX else ""
        is_inside = 0 < len(dialled) <= EXTENSION_DIGITS_MAX
        direction = Direction.INTERNAL if is_inside else Direction.OUTGOING
        return [self._fact("ringing", message, now, direction, who if is_inside else line, dialled, users=(who,))]

    def _rings(self, message: Message, now: datetime) -> list[CallChanged]:
        if _is_local(message, "dest"):
            return []
        who, caller = self._dialled_by(message)
        if self._extension(message.get("destchannel", "")) or not caller:
            return [self._fact("ringing", message, now, users=(who,) if who else (), prefix="dest")]
        to_number = _number(message.get("exten", "")) or _last_number(message.get("dialstring", ""))
        return [self._fact("ringing", message, now, Direction.OUTGOING, "", to_number, users=(who,), prefix="dest")]

    def _dialled(self, message: Message, now: datetime) -> list[CallChanged]:
        status = message.get("dialstatus", "").upper()
        if _is_local(message, "dest"):
            return []
        who, _ = self._dialled_by(message)
        if status == "ANSWER":
            self._causes[message["linkedid"]] = "normalClearing"
            return [self._fact("answered", message, now, answered_by=who, prefix="dest")]
        cause = _DIAL_CAUSES.get(status, "")
        if cause:
            if self._causes.get(message["linkedid"]) != "normalClearing":  # others ring in vain when one answers
                self._causes[message["linkedid"]] = cause
            return [self._fact("left", message, now, cause=cause, users=(who,) if who else (), prefix="dest")]
        return []

    def _dialled_by(self, message: Message) -> tuple[str, str]:
        """Who of ours has this leg: the telephone that is dialled, else the one that dials a number outside; and the
        telephone that dials."""
        caller = self._extension(message.get("channel", ""))
        who = self._extension(message.get("destchannel", "")) or caller
        return who, caller

    def _bridged(self, message: Message, now: datetime) -> list[CallChanged]:
        who = self._extension(message.get("channel", ""))
        is_second = message.get("bridgenumchannels", "0") not in ("", "0", "1")
        if not who or not is_second or message.get("bridgetechnology", "").startswith("holding"):
            return []
        return [self._fact("answered", message, now, answered_by=who, said=message.get("bridgeuniqueid", ""))]

    def _runs(self, message: Message, now: datetime) -> list[CallChanged]:
        application = message.get("application", "").casefold()
        if application in _VOICEMAIL:
            return [self._machine(message, now, "voicemail", "voicemail")]
        return [self._machine(message, now, application)] if application in _MACHINES else []

    def _queued(self, message: Message, now: datetime) -> list[CallChanged]:
        return [self._machine(message, now, "queue")]

    def _machine(self, message: Message, now: datetime, said: str, cause: str = "") -> CallChanged:
        """The caller's own channel runs it: it is no leg of its own."""
        return replace(self._fact("machine", message, now, said=said, cause=cause), leg="")

    def _hangs_up(self, message: Message, now: datetime) -> list[CallChanged]:
        channel, call = message["uniqueid"], message["linkedid"]
        self._live.pop(channel, None)
        if not self.is_listening:
            self._left.add(channel)
        cause = _HANGUP_CAUSES.get(message.get("cause", ""), "")
        found = [] if _is_local(message) else [self._fact("left", message, now, cause=cause, said="hangup")]
        if call not in self._live.values():
            last = self._causes.pop(call, "") or cause
            found.append(self._fact("ended", message, now, cause=last))
        return found

    def _fact(
        self, event: str, message: Message, now: datetime, direction: Direction | None = None, from_number: str = "",
        to_number: str = "", users: tuple[str, ...] = (), answered_by: str = "", cause: str = "", prefix: str = "",
        said: str = "",
    ) -> CallChanged:  # fmt: skip
        """One fact. Each channel's own id is another name of the call: see the module."""
        call = message["linkedid"]
        leg = message.get(f"{prefix}uniqueid", "")[:SHORT_CHARS_MAX]
        names = {message["uniqueid"], leg, message.get(f"{prefix}linkedid", "")} - {call, ""}
        return CallChanged(
            source=self._settings.name,
            call_key=call,
            dedup_key=f"{event}:{digest([leg, said, cause, message.get('timestamp', '')])}",
            event=event,
            received_at=now,
            at=read_time(message.get("timestamp", "")),
            direction=direction,
            from_number=from_number,
            to_number=to_number,
            users=users,
            answered_by=answered_by,
            cause=cause,
            leg=leg,
            aliases=tuple(sorted(names)),
        )

    def _extension(self, channel: str) -> str:
        """The extension that a channel belongs to, or nothing where it is no telephone of ours."""
        found = _DEVICE.match(channel)
        device = found.group(1) if found else ""
        is_short = device.isascii() and device.isdecimal() and len(device) <= EXTENSION_DIGITS_MAX
        return device if is_short or device in self._settings.extensions else ""


def _is_local(message: Message, prefix: str = "") -> bool:
    return message.get(f"{prefix}channel", "").startswith("Local/")


def _number(text: str) -> str:
    """A number as it was dialled; `s`, `h` and names of contexts are none."""
    return text if _DIGITS.match(text) else ""


def _last_number(dial_string: str) -> str:
    """The number in `trunk/79161234567` or `PJSIP/79161234567@trunk`."""
    return next(reversed(_NUMBER.findall(dial_string)), "")
