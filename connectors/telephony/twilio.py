"""Twilio: status callbacks of calls and messages, recordings, and incoming SMS and MMS, as forms by POST or GET.

    CallSid, CallStatus            what became of a call, or of one leg of it (`ParentCallSid`)
    RecordingSid, RecordingStatus  a recording; of the verb Record it is a voice mail
    MessageSid, MessageStatus      what became of a message of ours
    MessageSid, Body               a message to us

Proof: HMAC-SHA1 with the auth token over the address as it is configured, and for a form every name and value sorted by
name, values of one name once and sorted; base64 in `X-Twilio-Signature`. A JSON body is proved by its SHA-256 in the
signed query (`bodySHA256`). The address is ours from the configuration, never from the Host header; Twilio signs with
or without the port that its scheme implies, so both are tried. There is no time in it: a repeat is known by its ids.

How it is read. The call is the parent's `CallSid`. A parent that comes in is picked up by TwiML, which is no answer; a
child is the telephone of one of ours that rings. An outgoing parent to one of ours (`client:`, `sip:`, a configured
extension or line) is the first half of a click to call; to any other number its answer is the customer's, unless
`AnsweredBy` says a machine. Durations are not used: `Duration` is in minutes.

The answer is an empty TwiML response, which sends no message. As the voice address of a number it would end the call:
this address belongs into status callbacks only.

Limits: who answered an incoming call is known only if status callbacks are asked for on the nouns inside Dial. Media of
an MMS are kept as links behind its text.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha1, sha256
from urllib.parse import parse_qsl, quote, urlsplit

from config.tables import Networks
from connectors.base import Forged, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.fields import FIELDS_MAX, Fields, digest, fields_of, one_of, signed_form
from connectors.telephony.signatures import check_network, same
from interactions.arrivals import Arrival, CallChanged, SmsArrived, SmsStatusChanged
from interactions.records import Direction

SHORT_CHARS_MAX = 255
MEDIA_MAX = 10
_PORTS = {"https": 443, "http": 80}
_EXPECTED = "expected CallSid with CallStatus, RecordingSid, or MessageSid with Body or MessageStatus"
_RINGS = frozenset({"queued", "initiated", "ringing"})
_ENDS = {
    "completed": "normalClearing", "busy": "busy", "no-answer": "noAnswer", "failed": "failed", "canceled": "cancel",
}  # fmt: skip
_STATUSES = {
    "accepted": "queued", "scheduled": "queued", "queued": "queued", "sending": "sending", "sent": "sent",
    "partially_delivered": "sent", "delivered": "delivered", "read": "read", "undelivered": "undelivered",
    "failed": "failed", "canceled": "failed",
}  # fmt: skip
_TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'


@dataclass(frozen=True, slots=True)
class TwilioSettings:
    """One `[[telephony]]` table of type twilio. `address` is where Twilio posts, as it is configured there; `ours` are the
    extensions and lines by which telephones of ours are called."""

    name: str
    account_sid: str
    auth_token: str
    address: str
    ours: frozenset[str] = frozenset()
    allow_from: Networks = ()


class Twilio:
    """The receiver of a Twilio source (`connectors.base.Receiver`). An empty token is a ValueError."""

    def __init__(self, settings: TwilioSettings) -> None:
        if not settings.auth_token or not settings.account_sid:
            raise ValueError("auth_token or account_sid is empty; both are on the first page of Twilio's console")
        self._settings = settings

    def verify(self, request: WebhookRequest) -> None:
        """Raises Forged unless Twilio signed the request with our token, for our account."""
        check_network(self._settings.allow_from, request.remote)
        given = request.headers.get("x-twilio-signature", "")
        if not given:
            raise Forged("the header X-Twilio-Signature is missing")
        claimed = dict(_query(request)).get("bodySHA256", "")
        if claimed:
            if not same(sha256(request.body).hexdigest(), claimed):
                raise Forged("bodySHA256 does not fit the body")
            pairs = []
        else:
            pairs = signed_form(request.body)
        found = False
        for address in self._addresses(request):
            found |= same(self._sign(address, pairs), given)
        if not found:
            raise Forged("X-Twilio-Signature does not fit; is public_url the address that Twilio posts to?")
        account = dict([*_query(request), *pairs]).get("AccountSid", self._settings.account_sid)
        if not same(self._settings.account_sid, account):
            raise Forged("AccountSid is another account's than account_sid")

    def _addresses(self, request: WebhookRequest) -> list[str]:
        """The address that was asked for, with and without the port that its scheme implies."""
        rest = f"/{quote(request.rest)}" if request.rest else ""
        asked = self._settings.address + rest + (f"?{request.query}" if request.query else "")
        parts = urlsplit(asked)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        standard = _PORTS.get(parts.scheme)
        if standard is None or parts.port not in (None, standard):
            return [asked]
        return [parts._replace(netloc=netloc).geturl() for netloc in (host, f"{host}:{standard}")]

    def _sign(self, address: str, pairs: Sequence[tuple[str, str]]) -> str:
        values: dict[str, set[str]] = {}
        for name, value in pairs:
            values.setdefault(name, set()).add(value)
        text = address + "".join(name + value for name in sorted(values) for value in sorted(values[name]))
        key, signed = (one.encode("utf-8", "surrogatepass") for one in (self._settings.auth_token, text))
        return base64.b64encode(hmac.new(key, signed, sha1).digest()).decode("ascii")

    def masked_rest(self, request: WebhookRequest) -> str:
        """The rest of the path: there is no secret in it."""
        return request.rest[:SHORT_CHARS_MAX]

    def dedup_key(self, request: WebhookRequest) -> str:
        """The ids and the state that Twilio numbers its events by, else all of the request."""
        fields = _fields(request)
        for kind, names in (
            ("recording", ("RecordingSid", "RecordingStatus")),
            ("message", ("MessageSid", "MessageStatus")),
            ("message", ("MessageSid", "SmsStatus")),
            ("call", ("CallSid", "CallStatus")),
        ):
            said = [one_of(fields, name) for name in names]
            if all(said):
                return f"{kind}:{digest([*said, one_of(fields, 'SequenceNumber')])}"
        return "all:" + digest([request.query, sha256(request.body).hexdigest()])

    def instruct(self, address: str) -> str:
        """What has to be set at Twilio."""
        return (
            f"set {address} as status callback of calls, recordings and messages, and as the address of incoming "
            "messages, at Twilio; not as the address of incoming calls"
        )

    def answer(self, request: WebhookRequest) -> WebhookReply:  # noqa: ARG002 (one shape for all receivers)
        """Always the same: an empty TwiML response."""
        return WebhookReply(body=_TWIML, content_type="text/xml")

    def read(self, request: WebhookRequest) -> Sequence[Arrival]:
        """The arrival in a verified request. Raises Unreadable."""
        fields = _fields(request)
        if one_of(fields, "RecordingSid") and one_of(fields, "RecordingStatus"):
            return [self._recording(request, fields)]
        if one_of(fields, "MessageSid") or one_of(fields, "SmsSid"):
            return [self._message(request, fields)]
        if one_of(fields, "CallSid") and one_of(fields, "CallStatus"):
            return [self._call(request, fields)]
        raise Unreadable(f"it is no event that we know; {_EXPECTED}")

    def _call(self, request: WebhookRequest, fields: Fields) -> CallChanged:
        call, parent = _short(fields, "CallSid"), _short(fields, "ParentCallSid")
        status, to_number = _short(fields, "CallStatus"), _short(fields, "To")
        is_outgoing = _short(fields, "Direction").startswith("outbound")
        is_by_click = is_outgoing and not parent and self._is_ours(to_number)
        who = to_number if is_by_click or (parent and self._is_ours(to_number)) else ""
        direction = Direction.OUTGOING if is_outgoing else Direction.INCOMING
        event = self._event_of(fields, status, has_parent=bool(parent), is_human=is_outgoing and not is_by_click)
        if parent and not who and event == "answered":
            who = to_number  # a telephone outside that is dialled for us, or the customer
        return CallChanged(
            source=self._settings.name,
            call_key=parent or call,
            dedup_key=f"call:{digest([call, status, one_of(fields, 'SequenceNumber')])}",
            event=event,
            received_at=request.received_at,
            at=_time(fields),
            direction=direction,
            from_number=_short(fields, "From"),
            to_number="" if who and is_outgoing and self._is_ours(to_number) else to_number,
            users=(who,) if who else (),
            answered_by=who if event == "answered" else "",
            cause=_ENDS.get(status, ""),
            leg=call if parent else "",
            aliases=(call,) if parent else (),
        )

    def _event_of(self, fields: Fields, status: str, *, has_parent: bool, is_human: bool) -> str:
        if status in _RINGS:
            return "ringing"
        if status in _ENDS:
            return "left" if has_parent else "ended"
        if status not in ("in-progress", "answered"):
            raise Unreadable(f"CallStatus is {status[:40]!r}; {_EXPECTED}")
        is_machine = one_of(fields, "AnsweredBy").startswith(("machine", "fax"))
        return "answered" if (has_parent or is_human) and not is_machine else "machine"

    def _is_ours(self, number: str) -> bool:
        return number.startswith(("client:", "sip:")) or number in self._settings.ours

    def _recording(self, request: WebhookRequest, fields: Fields) -> CallChanged:
        recording, status = _short(fields, "RecordingSid"), _short(fields, "RecordingStatus")
        url = one_of(fields, "RecordingUrl").strip()
        is_there = status == "completed"
        return CallChanged(
            source=self._settings.name,
            call_key=_needed(fields, "CallSid"),
            dedup_key=f"recording:{digest([recording, status])}",
            event="noted",
            received_at=request.received_at,
            at=_time(fields),
            cause="voicemail" if is_there and one_of(fields, "RecordingSource") == "RecordVerb" else "",
            recordings=(url or recording,) if is_there else (),
        )

    def _message(self, request: WebhookRequest, fields: Fields) -> Arrival:
        key = _short(fields, "MessageSid") or _short(fields, "SmsSid")
        status = _short(fields, "MessageStatus") or _short(fields, "SmsStatus")
        if status in ("", "received", "receiving"):
            if "Body" not in fields:
                raise Unreadable(f"the field Body is missing; {_EXPECTED}")
            media = [one_of(fields, f"MediaUrl{n}") for n in range(MEDIA_MAX)]
            return SmsArrived(
                source=self._settings.name,
                sms_key=key,
                received_at=request.received_at,
                direction=Direction.INCOMING,
                from_number=_short(fields, "From"),
                to_number=_short(fields, "To"),
                text="\n".join(filter(None, [one_of(fields, "Body"), *media])),
            )
        return SmsStatusChanged(
            source=self._settings.name,
            sms_key=key,
            dedup_key=f"message:{digest([status])}",
            status=_STATUSES.get(status, "unknown"),
            received_at=request.received_at,
        )


def _query(request: WebhookRequest) -> list[tuple[str, str]]:
    try:
        return parse_qsl(request.query, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise Forged("the query has too many fields") from None


def _fields(request: WebhookRequest) -> Fields:
    pairs: Mapping[str, list[str]] = fields_of(_query(request))
    is_form = "bodySHA256" not in pairs
    return {**pairs, **(fields_of(signed_form(request.body)) if is_form else {})}


def _time(fields: Fields) -> datetime | None:
    """RFC 2822 §3.3, as `Sun, 25 Mar 2018 09:53:19 +0000`."""
    try:
        found = parsedate_to_datetime(one_of(fields, "Timestamp"))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None


def _short(fields: Fields, name: str) -> str:
    return one_of(fields, name).strip()[:SHORT_CHARS_MAX]


def _needed(fields: Fields, name: str) -> str:
    text = _short(fields, name)
    if not text:
        raise Unreadable(f"the field {name} is missing; {_EXPECTED}")
    return text
