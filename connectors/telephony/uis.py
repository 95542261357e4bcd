"""UIS, CoMagic and Novofon 2.0: notifications whose body the customer types himself, one template for each kind.

`TEMPLATES` are ours, to be pasted into the cabinet (docs/connectors.md): JSON with a constant `event` and the cabinet's
variables. What comes is read by these names and no others:

    ringing    a call came in on the virtual number      outgoing   one of ours calls out
    waiting    a telephone of ours rings (`leg_id`)      answered   a conversation has begun
    parted     a conversation has ended, the call may go on
    ended      the call is over: times, durations        lost       it is over, and nobody answered
    recorded   a recording is there (`file_link`)

Proof: nothing is signed. The secret is the last part of the path (`allow_unsigned = true`), compared in constant time and
neither stored nor logged; `allow_from` narrows who may try.

How it is read. `call_session_id` is the call. `ended` is a report of the whole call and believed before the rest:
`talk_time_duration` says whether anybody answered, and when. Times are Unix seconds (`notification_timestamp`), or local
ones, which need the source's `timezone`. A variable that the cabinet does not know stays in its braces and counts as
empty.

Limits: a body with another template is Unreadable and kept. The names of the variables are those of the provider's pages
for customers; which of them each kind of notification fills is confirmed for the common ones only.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from hashlib import sha256

from config.tables import Networks
from connectors.base import Forged, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.fields import Fields, digest, one_of, read_fields, read_time
from connectors.telephony.signatures import check_network, names_secret
from interactions.arrivals import Arrival, CallChanged
from interactions.records import Direction

SHORT_CHARS_MAX = 255
SECONDS_MAX = 7 * 86_400
_EXPECTED = "expected a body by one of our templates, with event and call_session_id"
_VARIABLES = (
    "call_session_id", "direction", "is_internal", "virtual_phone_number", "contact_phone_number",
    "extension_phone_number", "employee_full_name", "leg_id", "notification_timestamp", "notification_time",
)  # fmt: skip
_MORE: Mapping[str, tuple[str, ...]] = {
    "ringing": (),
    "outgoing": (),
    "waiting": (),
    "answered": (),
    "parted": (),
    "ended": ("start_time", "talk_time_duration", "total_time_duration"),
    "lost": (),
    "recorded": ("file_link",),
}
TEMPLATES: Mapping[str, str] = {
    event: "{"
    + ", ".join([f'"event": "{event}"', *(f'"{name}": "{{{{{name}}}}}"' for name in (*_VARIABLES, *more))])
    + "}"
    for event, more in _MORE.items()
}
_FACTS = {
    "ringing": "ringing", "outgoing": "ringing", "waiting": "ringing", "answered": "answered", "parted": "left",
    "lost": "ended", "recorded": "noted",
}  # fmt: skip
_UNFILLED = re.compile(r"\{\{.*\}\}\Z")
_TRUE = frozenset({"true", "1", "yes"})


@dataclass(frozen=True, slots=True)
class UisSettings:
    """One `[[telephony]]` table of type uis."""

    name: str
    secret: str
    timezone: tzinfo | None = None
    allow_from: Networks = ()


class Uis:
    """The receiver of a UIS source (`connectors.base.Receiver`). An empty secret is a ValueError."""

    def __init__(self, settings: UisSettings) -> None:
        if not settings.secret.strip():
            raise ValueError("secret is empty; it is the last part of the address that is set in the cabinet")
        self._settings = settings

    def verify(self, request: WebhookRequest) -> None:
        """Raises Forged unless the path ends in the secret."""
        check_network(self._settings.allow_from, request.remote)
        if not names_secret((self._settings.secret,), request.rest):
            raise Forged("the address does not end in the secret of this source")

    def masked_rest(self, request: WebhookRequest) -> str:  # noqa: ARG002 (one shape for all receivers)
        """Nothing: the path is the secret."""
        return ""

    def dedup_key(self, request: WebhookRequest) -> str:
        """All that the notification says."""
        try:
            fields = read_fields(request.body, _EXPECTED)
        except Unreadable:
            return "body:" + sha256(request.body).hexdigest()
        return "said:" + digest(part for name in sorted(fields) for part in (name, *fields[name]))

    def instruct(self, address: str) -> str:
        """What has to be set in the cabinet."""
        return (
            f"make a notification of each kind in the cabinet that posts its template (docs/connectors.md) to "
            f"{address}/SECRET, where SECRET is the value of secret"
        )

    def answer(self, request: WebhookRequest) -> WebhookReply:  # noqa: ARG002 (one shape for all receivers)
        """Always the same."""
        return WebhookReply()

    def read(self, request: WebhookRequest) -> Sequence[Arrival]:
        """The arrivals in a verified request. Raises Unreadable."""
        fields = read_fields(request.body, _EXPECTED)
        event, call = _short(fields, "event").casefold(), _short(fields, "call_session_id")
        if not call:
            raise Unreadable(f"the field call_session_id is missing; {_EXPECTED}")
        if event == "ended":
            return self._report(request, fields)
        if event not in _FACTS:
            raise Unreadable(f"the event is {event[:40]!r}; {_EXPECTED}")
        at, link = self._at(fields), _short(fields, "file_link", 2000)
        cause = {"lost": "noAnswer"}.get(event, "")
        return [self._fact(request, fields, _FACTS[event], at, cause=cause, link=link, said=event)]

    def _report(self, request: WebhookRequest, fields: Fields) -> list[Arrival]:
        """A call that is over: when it began, was answered and ended, as far as the durations tell."""
        ended_at = self._at(fields)
        talk, total = _seconds(fields, "talk_time_duration"), _seconds(fields, "total_time_duration")
        started_at = read_time(_short(fields, "start_time"), self._settings.timezone)
        if started_at is None and ended_at is not None and total is not None:
            started_at = ended_at - timedelta(seconds=total)
        times: dict[str, datetime | None] = {"ringing": started_at}
        if talk:
            times["answered"] = ended_at - timedelta(seconds=talk) if ended_at else None
        times["ended"] = ended_at
        cause = "" if talk is None else "normalClearing" if talk else "noAnswer"
        return [
            self._fact(
                request,
                fields,
                event,
                at,
                cause=cause if event == "ended" else "",
                said="ended",
                is_final=talk is not None,
            )
            for event, at in times.items()
        ]

    def _fact(
        self, request: WebhookRequest, fields: Fields, event: str, at: datetime | None, *, cause: str = "",
        link: str = "", said: str = "", is_final: bool = False,
    ) -> CallChanged:  # fmt: skip
        who = _short(fields, "extension_phone_number") or _short(fields, "employee_full_name")
        direction = self._direction(fields, said)
        other, line = _short(fields, "contact_phone_number"), _short(fields, "virtual_phone_number")
        from_number, to_number = (line, other) if direction is Direction.OUTGOING else (other, line)
        is_ours = said in ("waiting", "answered", "outgoing", "ended")
        leg = _short(fields, "leg_id") if said in ("waiting", "answered", "parted") else ""
        return CallChanged(
            source=self._settings.name,
            call_key=_short(fields, "call_session_id"),
            dedup_key=f"{said}:{event}:{digest([leg, who, link, one_of(fields, 'notification_timestamp')])}",
            event=event,
            received_at=request.received_at,
            at=at,
            direction=direction,
            from_number=from_number,
            to_number=to_number,
            users=(who,) if who and is_ours else (),
            answered_by=who if event == "answered" else "",
            cause=cause,
            leg=leg,
            recordings=(link,) if link else (),
            is_final=is_final,
        )

    def _direction(self, fields: Fields, said: str) -> Direction | None:
        if _short(fields, "is_internal").casefold() in _TRUE:
            return Direction.INTERNAL
        given = _short(fields, "direction").casefold() or {"ringing": "in", "lost": "in", "outgoing": "out"}.get(
            said, ""
        )
        return {"in": Direction.INCOMING, "out": Direction.OUTGOING}.get(given)

    def _at(self, fields: Fields) -> datetime | None:
        zone = self._settings.timezone
        return read_time(_short(fields, "notification_timestamp")) or read_time(
            _short(fields, "notification_time"), zone
        )


def _short(fields: Fields, name: str, chars_max: int = SHORT_CHARS_MAX) -> str:
    text = one_of(fields, name).strip()[:chars_max]
    return "" if _UNFILLED.search(text) else text


def _seconds(fields: Fields, name: str) -> int | None:
    text = _short(fields, name)
    return min(int(text), SECONDS_MAX) if text.isascii() and text.isdecimal() else None
