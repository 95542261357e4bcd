"""The generic source: any PBX or program that can post JSON or a form, in the shape PBXs send to helpdesks.

    newCall   callId, direction in|out, from, to, user[]       → a call rings
    answer    callId, answeringNumber or user[]                → somebody answered
    hangup    callId, cause                                    → it ended
    sms       id, direction, from, to, text                    → a message
    smsStatus id, status                                       → what became of it

`at` may say when (RFC 3339 or Unix seconds). Names and values of a PBX that calls things otherwise are mapped by the
configuration (`map = { callId = "uuid", newCall = "call_start" }`). Proof: Standard Webhooks headers, or, only where
`allow_unsigned = true`, the secret as the last part of the path. The answer is always `{}`: it can't steer a call.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import parse_qsl

from connectors.base import Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.signatures import verify_standard
from interactions.arrivals import Arrival, CallChanged, SmsArrived, SmsStatusChanged
from interactions.records import Direction

FIELDS_MAX = 200
FIELD_CHARS_MAX = 10_000
SHORT_CHARS_MAX = 256
BODY_BYTES_MAX = 1024 * 1024
USERS_MAX = 100

_CALL_EVENTS = {"newCall": "ringing", "answer": "answered", "hangup": "ended"}
_DIRECTIONS = {"in": Direction.INCOMING, "out": Direction.OUTGOING, "internal": Direction.INTERNAL}
_EXPECTED = "expected event newCall, answer, hangup (with callId), sms or smsStatus (with id)"

Fields = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class GenericSettings:
    """One `[[telephony]]` table of type generic. `field_map` leads from our names and values to the PBX's."""

    name: str
    secrets: tuple[str, ...]
    allow_unsigned: bool = False
    field_map: Mapping[str, str] = field(default_factory=dict)


class Generic:
    """The receiver of a generic source (`connectors.base.Receiver`)."""

    def __init__(self, settings: GenericSettings) -> None:
        self._settings = settings
        self._theirs = {theirs: ours for ours, theirs in settings.field_map.items()}

    def verify(self, request: WebhookRequest) -> None:
        """Raises Forged unless the request is signed or, where that is allowed, names the secret."""
        if "webhook-signature" not in request.headers and self._has_secret_path(request):
            return
        verify_standard(self._settings.secrets, request.headers, request.body, request.received_at)

    def _has_secret_path(self, request: WebhookRequest) -> bool:
        if not self._settings.allow_unsigned:
            return False
        given = request.rest.rpartition("/")[2].encode("utf-8", "surrogateescape")
        found = False
        for secret in self._settings.secrets:
            found |= bool(secret) and hmac.compare_digest(secret.encode(), given)
        return found

    def masked_rest(self, request: WebhookRequest) -> str:
        """The rest of the path without a secret in it, as it may be stored and logged."""
        return "" if self._settings.allow_unsigned else request.rest[:SHORT_CHARS_MAX]

    def dedup_key(self, request: WebhookRequest) -> str:
        """The signed id of the message, else what makes the event one."""
        message_id = request.headers.get("webhook-id", "")
        if message_id and "webhook-signature" in request.headers:
            return "wh:" + sha256(message_id.encode("utf-8", "surrogateescape")).hexdigest()
        return "body:" + sha256(request.body).hexdigest()

    def answer(self, request: WebhookRequest) -> WebhookReply:  # noqa: ARG002 (one shape for all receivers)
        """Always the same."""
        return WebhookReply()

    def read(self, request: WebhookRequest) -> Sequence[Arrival]:
        """The arrival in a verified request. Raises Unreadable, saying what was expected."""
        fields = self._fields(request)
        event = self._value(_one(fields, "event"))
        if event in _CALL_EVENTS:
            return [self._call(request, fields, event)]
        if event == "sms":
            return [self._sms(request, fields)]
        if event == "smsStatus":
            status = _one(fields, "status")
            key = f"{status}:{_one(fields, 'at')}"
            return [
                SmsStatusChanged(
                    self._settings.name, _needed(fields, "id"), key[:SHORT_CHARS_MAX], status[:64],
                    request.received_at, read_time(_one(fields, "at")),
                )
            ]  # fmt: skip
        raise Unreadable(f"the event is {event[:40]!r}; {_EXPECTED}")

    def _call(self, request: WebhookRequest, fields: Fields, event: str) -> CallChanged:
        answered_by = _one(fields, "answeringNumber")
        users = tuple(user[:SHORT_CHARS_MAX] for user in fields.get("user", [])[:USERS_MAX])
        if event == "answer" and not answered_by and len(users) == 1:
            answered_by = users[0]
        at = _one(fields, "at")
        return CallChanged(
            source=self._settings.name,
            call_key=_needed(fields, "callId"),
            dedup_key=f"{event}:{answered_by}:{at}"[:SHORT_CHARS_MAX],
            event=_CALL_EVENTS[event],
            received_at=request.received_at,
            at=read_time(at),
            direction=_DIRECTIONS.get(self._value(_one(fields, "direction"))),
            from_number=_one(fields, "from")[:SHORT_CHARS_MAX],
            to_number=_one(fields, "to")[:SHORT_CHARS_MAX],
            users=users,
            answered_by=answered_by[:SHORT_CHARS_MAX],
            cause=self._value(_one(fields, "cause"))[:64],
        )

    def _sms(self, request: WebhookRequest, fields: Fields) -> SmsArrived:
        return SmsArrived(
            source=self._settings.name,
            sms_key=_needed(fields, "id"),
            received_at=request.received_at,
            direction=_DIRECTIONS.get(self._value(_one(fields, "direction")), Direction.INCOMING),
            from_number=_one(fields, "from")[:SHORT_CHARS_MAX],
            to_number=_one(fields, "to")[:SHORT_CHARS_MAX],
            text=_one(fields, "text"),
            at=read_time(_one(fields, "at")),
        )

    def _value(self, value: str) -> str:
        return self._theirs.get(value, value)

    def _fields(self, request: WebhookRequest) -> Fields:
        """The fields of a JSON object or a form, by our names; each value a list of texts."""
        if len(request.body) > BODY_BYTES_MAX:
            raise Unreadable(f"the body has {len(request.body)} bytes; at most {BODY_BYTES_MAX} are read")
        text = request.body.decode("utf-8", "replace").replace("\x00", "")
        if text.lstrip()[:1] == "{":
            pairs = _json_pairs(text)
        else:
            try:
                pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX)
            except ValueError:
                raise Unreadable(f"the form has more than {FIELDS_MAX} fields") from None
        found: Fields = {}
        for name, value in pairs[:FIELDS_MAX]:
            ours = name.removesuffix("[]")
            found.setdefault(self._theirs.get(ours, ours), []).append(value[:FIELD_CHARS_MAX])
        return found


def _json_pairs(text: str) -> list[tuple[str, str]]:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable(f"the body is not JSON that can be read; {_EXPECTED}") from None
    if not isinstance(read, dict):
        raise Unreadable(f"the body is not one JSON object; {_EXPECTED}")
    pairs: list[tuple[str, str]] = []
    for name, value in list(read.items())[:FIELDS_MAX]:
        some = value[:USERS_MAX] if isinstance(value, list) else [value]
        pairs.extend((name, _clean(one)) for one in some if one is not None and not isinstance(one, dict | list))
    return pairs


def _clean(value: object) -> str:
    """Text of a scalar, without what no database keeps."""
    text = str(value) if not isinstance(value, bool) else str(value).lower()
    return text[:FIELD_CHARS_MAX].replace("\x00", "").encode("utf-8", "replace").decode()


def _one(fields: Fields, name: str) -> str:
    return fields.get(name, [""])[0].strip()


def _needed(fields: Fields, name: str) -> str:
    value = _one(fields, name)
    if not value:
        raise Unreadable(f"the field {name} is missing; {_EXPECTED}")
    if len(value) > SHORT_CHARS_MAX:
        raise Unreadable(f"the field {name} is longer than {SHORT_CHARS_MAX} characters")
    return value


def read_time(text: str) -> datetime | None:
    """RFC 3339 or Unix seconds in UTC; None where it says no moment. A time without zone is not believed."""
    try:
        if text.replace(".", "", 1).isdigit() and text.isascii():
            return datetime.fromtimestamp(float(text), UTC)
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None
