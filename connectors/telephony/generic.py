"""The generic source: any PBX or program that can post JSON or a form, in the shape PBXs send to helpdesks.

    newCall    callId, direction in|out, from, to, user[]       → a call rings
    answer     callId, answeringNumber or one user[]            → somebody answered
    hangup     callId, cause, answeringNumber                   → it ended
    sms        id, direction, from, to, text                    → a message
    smsStatus  id, status                                       → what became of it

`at` may say when: RFC 3339, Unix seconds or milliseconds, or local time where the source has a `timezone`; a time that
can't be read is as good as none, and the moment of receipt stands for it. Numbers may come as text or as numbers.

`field_map` leads from our names to a PBX's: fields (`callId = "uuid"`, `from = "call.caller"` for an object inside) and
values (`newCall = "INCOMING"`, or `event.newCall`, `direction.in`, `cause.busy` where a bare name could mean two
things). Several of theirs for one of ours are separated by `|`: the first field that says anything, any of the values.
A field that is mapped is read by its mapped names only; values go on to be understood by our names too.

Proof: Standard Webhooks headers or, only where `allow_unsigned = true`, the secret as the last part of the path. The
answer is always `{}`: it can't steer a call. What can't be read is Unreadable with what was expected, and is kept.

One event is one however often it comes: the journal knows a signed message by its `webhook-id`; the fold of a call
knows an event by all that it says, so a repeat under a new id, in other order of fields or as a form changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from hashlib import sha256

from config.tables import Networks
from connectors.base import Forged, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.fields import Fields, digest, one_of, read_fields, read_time, without_index
from connectors.telephony.signatures import check_network, keys_of, names_secret, verify_standard
from interactions.arrivals import Arrival, CallChanged, SmsArrived, SmsStatusChanged
from interactions.records import Direction

SHORT_CHARS_MAX = 255
RECORDING_CHARS_MAX = 2000
SMS_CHARS_MAX = 10_000
USERS_MAX = 100

FIELDS = (
    "event", "callId", "direction", "from", "to", "user", "cause", "answeringNumber", "at", "id", "text", "status",
)  # fmt: skip
_CALL_EVENTS = {"newCall": "ringing", "answer": "answered", "hangup": "ended"}
_EVENTS = (*_CALL_EVENTS, "sms", "smsStatus")
_DIRECTIONS = {
    "in": Direction.INCOMING, "incoming": Direction.INCOMING, "inbound": Direction.INCOMING,
    "out": Direction.OUTGOING, "outgoing": Direction.OUTGOING, "outbound": Direction.OUTGOING,
    "internal": Direction.INTERNAL,
}  # fmt: skip
# What a map may name for the values of each field; any name is good for a cause or a status.
_VALUES: Mapping[str, tuple[str, ...]] = {"event": _EVENTS, "direction": tuple(_DIRECTIONS), "cause": (), "status": ()}
_CAUSES = (
    "normalClearing", "busy", "cancel", "noAnswer", "rejected", "congestion", "notFound", "forwarded", "voicemail",
    "blocked",
)  # fmt: skip
_STATUSES = ("queued", "sent", "delivered", "failed", "unknown")
_EXPECTED = "expected event newCall, answer, hangup (with callId), sms or smsStatus (with id)"


@dataclass(frozen=True, slots=True)
class GenericSettings:
    """One `[[telephony]]` table of type generic. `field_map` leads from our names and values to the PBX's; `timezone` is
    that of times without one; `allow_from` are the networks that requests may come from, any if empty. `region` is the
    country of numbers without one: they are kept as they came, and read with it later."""

    name: str
    secrets: tuple[str, ...]
    allow_unsigned: bool = False
    field_map: Mapping[str, str] = field(default_factory=dict)
    region: str = ""
    timezone: tzinfo | None = None
    allow_from: Networks = ()


class Generic:
    """The receiver of a generic source (`connectors.base.Receiver`). A wrong secret or map is a ValueError."""

    def __init__(self, settings: GenericSettings) -> None:
        for secret in settings.secrets:
            keys_of(secret)
        self._settings = settings
        self._names, self._values = _read_map(settings.field_map)

    def verify(self, request: WebhookRequest) -> None:
        """Raises Forged unless the request is signed or, where that is allowed, names the secret."""
        check_network(self._settings.allow_from, request.remote)
        if self._settings.allow_unsigned and names_secret(self._settings.secrets, request.rest):
            return
        if self._settings.secrets and self._settings.allow_unsigned and "webhook-signature" not in request.headers:
            what = "is not that of this source" if request.rest else "is missing"
            raise Forged(f"nothing is signed, and the secret at the end of the address {what}")
        verify_standard(self._settings.secrets, request.headers, request.body, request.received_at)

    def masked_rest(self, request: WebhookRequest) -> str:
        """The rest of the path without a secret in it, as it may be stored and logged."""
        return "" if self._settings.allow_unsigned else request.rest[:SHORT_CHARS_MAX]

    def dedup_key(self, request: WebhookRequest) -> str:
        """The signed id of the message, else what the event says, else the body."""
        message_id = request.headers.get("webhook-id", "")
        if message_id and "webhook-signature" in request.headers:
            return "wh:" + digest([message_id])
        try:
            [arrival] = self.read(request)
        except Unreadable:
            return "body:" + sha256(request.body).hexdigest()
        if isinstance(arrival, CallChanged):
            return "call:" + digest([arrival.call_key, arrival.dedup_key])
        if isinstance(arrival, SmsStatusChanged):
            return "status:" + digest([arrival.sms_key, arrival.dedup_key])
        return "sms:" + digest([arrival.sms_key]) if isinstance(arrival, SmsArrived) else ""

    def instruct(self, address: str) -> str:
        """What has to be set at the PBX."""
        if self._settings.allow_unsigned:
            return (
                f"let the PBX post to {address}/SECRET, where SECRET is the value of secret; requests need no signature"
            )
        return f"let the PBX post to {address}, signed as Standard Webhooks with secret"

    def answer(self, request: WebhookRequest) -> WebhookReply:  # noqa: ARG002 (one shape for all receivers)
        """Always the same."""
        return WebhookReply()

    def read(self, request: WebhookRequest) -> Sequence[Arrival]:
        """The arrival in a verified request. Raises Unreadable, saying what was expected."""
        fields = read_fields(request.body, _EXPECTED)
        event = self._value(fields, "event")
        event = next((one for one in _EVENTS if one.casefold() == event.casefold()), event)
        if event in _CALL_EVENTS:
            return [self._call(request, fields, event)]
        if event == "sms":
            return [self._sms(request, fields)]
        if event == "smsStatus":
            return [self._status(request, fields)]
        if not event:
            raise Unreadable(f"the field {self._theirs('event')} is missing; {_EXPECTED}")
        raise Unreadable(f"the event is {event[:40]!r}; {_EXPECTED}; a PBX that names it otherwise needs `map`")

    def _call(self, request: WebhookRequest, fields: Fields, event: str) -> CallChanged:
        call_key = self._needed(fields, "callId")
        answered_by = self._short(fields, "answeringNumber")
        users = tuple(sorted({user[:SHORT_CHARS_MAX] for user in self._all(fields, "user") if user})[:USERS_MAX])
        if event == "answer" and not answered_by and len(users) == 1:
            answered_by = users[0]
        cause, from_number, to_number = self._value(fields, "cause")[:64], *self._two_numbers(fields)
        cause = next((one for one in _CAUSES if one.casefold() == cause.casefold()), cause)
        direction = self._direction(fields)
        at = self._one(fields, "at")
        recording = self._one(fields, "recording")[:RECORDING_CHARS_MAX]
        said = [event, direction or "", from_number, to_number, *users, "", answered_by, cause, at]
        said += [recording] if recording else []
        return CallChanged(
            source=self._settings.name,
            call_key=call_key,
            dedup_key=f"{event}:{digest(said)}",
            event=_CALL_EVENTS[event],
            received_at=request.received_at,
            at=read_time(at, self._settings.timezone),
            direction=direction,
            from_number=from_number,
            to_number=to_number,
            users=users,
            answered_by=answered_by,
            cause=cause,
            recordings=(recording,) if recording else (),
        )

    def _sms(self, request: WebhookRequest, fields: Fields) -> SmsArrived:
        from_number, to_number = self._two_numbers(fields)
        if not any(name in fields for name in self._names.get("text", ("text",))):
            raise Unreadable(f"the field {self._theirs('text')} is missing; {_EXPECTED}")
        text = self._one(fields, "text", strip=False)
        if len(text) > SMS_CHARS_MAX:
            raise Unreadable(f"the text has {len(text)} characters; an SMS has at most {SMS_CHARS_MAX}")
        return SmsArrived(
            source=self._settings.name,
            sms_key=self._needed(fields, "id"),
            received_at=request.received_at,
            direction=self._direction(fields) or Direction.INCOMING,
            from_number=from_number,
            to_number=to_number,
            text=text,
            at=read_time(self._one(fields, "at"), self._settings.timezone),
        )

    def _status(self, request: WebhookRequest, fields: Fields) -> SmsStatusChanged:
        self._needed(fields, "status")
        status = self._value(fields, "status")[:64]
        at = self._one(fields, "at")
        return SmsStatusChanged(
            source=self._settings.name,
            sms_key=self._needed(fields, "id"),
            dedup_key=f"{status[:32]}:{digest([status, at])}",
            status=status,
            received_at=request.received_at,
            at=read_time(at, self._settings.timezone),
        )

    def _direction(self, fields: Fields) -> Direction | None:
        given = self._value(fields, "direction")
        if not given:
            return None
        direction = _DIRECTIONS.get(given.casefold())
        if direction is None:
            raise Unreadable(f"the direction is {given[:40]!r}; expected in or out, or its name in `map`")
        return direction

    def _two_numbers(self, fields: Fields) -> tuple[str, str]:
        return self._short(fields, "from"), self._short(fields, "to")

    def _all(self, fields: Fields, name: str) -> list[str]:
        given = (fields.get(one, []) for one in self._names.get(name, (name,)))
        return [value.strip() for value in next(filter(any, given), [])]

    def _one(self, fields: Fields, name: str, strip: bool = True) -> str:
        given = (one_of(fields, one) for one in self._names.get(name, (name,)))
        text = next(filter(None, given), "")
        return text.strip() if strip else text

    def _theirs(self, name: str) -> str:
        return " or ".join(self._names.get(name, (name,)))

    def _short(self, fields: Fields, name: str) -> str:
        text = self._one(fields, name)
        if len(text) > SHORT_CHARS_MAX:
            raise Unreadable(f"the field {self._theirs(name)} is longer than {SHORT_CHARS_MAX} characters")
        return text

    def _needed(self, fields: Fields, name: str) -> str:
        text = self._short(fields, name)
        if not text:
            raise Unreadable(f"the field {self._theirs(name)} is missing; {_EXPECTED}")
        return text

    def _value(self, fields: Fields, name: str) -> str:
        """A field whose values have names of ours."""
        text = self._one(fields, name)
        return self._values.get((name, text.casefold()), text)


def _read_map(field_map: Mapping[str, str]) -> tuple[dict[str, tuple[str, ...]], dict[tuple[str, str], str]]:
    """Our fields → theirs; and (our field, their value) → our value."""
    bare = {
        one: name
        for name, some in (("status", _STATUSES), ("cause", _CAUSES), ("direction", _DIRECTIONS), ("event", _EVENTS))
        for one in some
    }
    names: dict[str, tuple[str, ...]] = {}
    values: dict[tuple[str, str], str] = {}
    for ours, theirs in field_map.items():
        if ours in FIELDS:
            names[ours] = tuple(without_index(one.strip()) for one in theirs.split("|"))
            continue
        name, dot, value = ours.partition(".")
        if not dot:
            name, value = bare.get(ours, ""), ours
        if name not in _VALUES or not value or (_VALUES[name] and value not in _VALUES[name]):
            known = ", ".join((*FIELDS, *_EVENTS, "direction.in", "direction.out", "cause.…", "status.…"))
            raise ValueError(f"map.{ours}: this is no name of ours; they are {known}")
        for one in theirs.split("|"):
            values[name, one.strip().casefold()] = value
    return names, values
