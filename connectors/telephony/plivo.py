"""Plivo: what its calls and messages tell of themselves, as forms by POST or GET.

    CallUUID, CallStatus             what became of a call
    DialBLegUUID, DialAction         a telephone that is dialled for a call: it answered, or has left
    CallUUID, RecordUrl              a recording
    MessageUUID, Text                a message to us
    MessageUUID, Status              what became of a message of ours

Proof: version 3 of its signatures, HMAC-SHA256 with the auth token over the address without its query, the sorted query,
the sorted fields and the nonce, as base64; several may be given, one for each token. The address is ours from the
configuration, never from the Host header. There is no time in it: a repeat is known by what it says.

How it is read. A call that comes in is picked up by XML, which is no answer; the telephone that is dialled for it is. A call
out is answered by the customer, unless it goes to one of ours first (a configured extension or line, or a SIP address):
then that is the first half of a click to call. Plivo tells local times of its console, so the moment of receipt counts.

The answer is an empty XML response, which sends nothing. As the answer address of a number it would end the call: this
address belongs into the hangup, ring and callback addresses only.

Limits: the callbacks of Dial, recordings and messages are read by the names that are commonly seen, not by a manual.
"""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qsl, quote

from config.tables import Networks
from connectors.base import Forged, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.fields import FIELDS_MAX, Fields, digest, fields_of, one_of, signed_form
from connectors.telephony.signatures import check_network, same
from interactions.arrivals import Arrival, CallChanged, SmsArrived, SmsStatusChanged
from interactions.records import Direction

SHORT_CHARS_MAX = 255
SIGNATURES_MAX = 10
_EXPECTED = "expected CallUUID with CallStatus, DialAction or RecordUrl, or MessageUUID with Text or Status"
_ENDS = {
    "completed": "normalClearing", "busy": "busy", "no-answer": "noAnswer", "timeout": "noAnswer", "failed": "failed",
    "cancel": "cancel", "canceled": "cancel",
}  # fmt: skip
_DIALLED = {"answer": "answered", "connected": "answered", "hangup": "left"}
_XML = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'


@dataclass(frozen=True, slots=True)
class PlivoSettings:
    """One `[[telephony]]` table of type plivo. `address` is where Plivo posts, as it is configured there; `ours` are the
    extensions and lines by which telephones of ours are called."""

    name: str
    auth_token: str
    address: str
    ours: frozenset[str] = frozenset()
    allow_from: Networks = ()


class Plivo:
    """The receiver of a Plivo source (`connectors.base.Receiver`). An empty token is a ValueError."""

    def __init__(self, settings: PlivoSettings) -> None:
        if not settings.auth_token:
            raise ValueError("auth_token is empty; it is on the first page of Plivo's console")
        self._settings = settings

    def verify(self, request: WebhookRequest) -> None:
        """Raises Forged unless Plivo signed the request with our token."""
        check_network(self._settings.allow_from, request.remote)
        nonce = request.headers.get("x-plivo-signature-v3-nonce", "")
        given = request.headers.get("x-plivo-signature-v3", "").split(",")[:SIGNATURES_MAX]
        if not nonce:
            raise Forged("the headers X-Plivo-Signature-V3 and X-Plivo-Signature-V3-Nonce are missing")
        expected = self._sign(request, nonce)
        found = False
        for one in given:
            found |= same(expected, one)
        if not found:
            raise Forged("X-Plivo-Signature-V3 does not fit; is public_url the address that Plivo posts to?")

    def _sign(self, request: WebhookRequest, nonce: str) -> str:
        query = "&".join(f"{name}={value}" for name, value in sorted(_query(request)))
        fields = "".join(name + value for name, value in sorted(signed_form(request.body)))
        rest = f"/{quote(request.rest)}" if request.rest else ""
        text = self._settings.address + rest
        if request.method == "GET":
            text += f"?{query}" if query else ""
        else:
            text += f"?{query}" + ("." if query and fields else "") + fields
        key, signed = (one.encode("utf-8", "surrogatepass") for one in (self._settings.auth_token, f"{text}.{nonce}"))
        return base64.b64encode(hmac.new(key, signed, sha256).digest()).decode("ascii")

    def masked_rest(self, request: WebhookRequest) -> str:
        """The rest of the path: there is no secret in it."""
        return request.rest[:SHORT_CHARS_MAX]

    def dedup_key(self, request: WebhookRequest) -> str:
        """All that the event says."""
        fields = _fields(request)
        return "said:" + digest(part for name in sorted(fields) for part in (name, *fields[name]))

    def instruct(self, address: str) -> str:
        """What has to be set at Plivo."""
        return (
            f"set {address} as hangup URL, ring URL and callback of calls, and as message URL, at Plivo; "
            "not as answer URL"
        )

    def answer(self, request: WebhookRequest) -> WebhookReply:  # noqa: ARG002 (one shape for all receivers)
        """Always the same: an empty XML response."""
        return WebhookReply(body=_XML, content_type="text/xml")

    def read(self, request: WebhookRequest) -> Sequence[Arrival]:
        """The arrival in a verified request. Raises Unreadable."""
        fields = _fields(request)
        if _short(fields, "MessageUUID"):
            return [self._message(request, fields)]
        if not _short(fields, "CallUUID"):
            raise Unreadable(f"it is no event that we know; {_EXPECTED}")
        if _short(fields, "DialAction"):
            return [self._dialled(request, fields)]
        if _short(fields, "RecordUrl"):
            url = _short(fields, "RecordUrl", 2000)
            return [self._fact(request, fields, "noted", said=url, recordings=(url,))]
        return [self._call(request, fields)]

    def _call(self, request: WebhookRequest, fields: Fields) -> CallChanged:
        status, to_number = _short(fields, "CallStatus"), _short(fields, "To")
        is_outgoing = _short(fields, "Direction").startswith("outbound")
        is_by_click = is_outgoing and self._is_ours(to_number)
        if status == "ringing":
            event = "ringing"
        elif status in _ENDS:
            event = "ended"
        elif status == "in-progress":
            event = "answered" if is_outgoing and not is_by_click else "machine"
        else:
            raise Unreadable(f"CallStatus is {status[:40]!r}; {_EXPECTED}")
        return self._fact(
            request,
            fields,
            event,
            direction=Direction.OUTGOING if is_outgoing else Direction.INCOMING,
            numbers=(_short(fields, "From"), "" if is_by_click else to_number),
            users=(to_number,) if is_by_click else (),
            cause=_ENDS.get(status, ""),
            said=status,
        )

    def _dialled(self, request: WebhookRequest, fields: Fields) -> CallChanged:
        action, leg = _short(fields, "DialAction").casefold(), _short(fields, "DialBLegUUID")
        event = _DIALLED.get(action, "noted")
        who = _short(fields, "DialBLegTo")
        return self._fact(
            request,
            fields,
            event,
            numbers=("", "" if self._is_ours(who) else who),
            users=(who,) if self._is_ours(who) else (),
            answered_by=who if event == "answered" else "",
            said=f"{action} {leg}",
            leg=leg,
        )

    def _fact(
        self, request: WebhookRequest, fields: Fields, event: str, *, direction: Direction | None = None,
        numbers: tuple[str, str] = ("", ""), users: tuple[str, ...] = (), answered_by: str = "", cause: str = "",
        said: str = "", leg: str = "", recordings: tuple[str, ...] = (),
    ) -> CallChanged:  # fmt: skip
        return CallChanged(
            source=self._settings.name,
            call_key=_short(fields, "CallUUID"),
            dedup_key=f"{event}:{digest([said])}",
            event=event,
            received_at=request.received_at,
            direction=direction,
            from_number=numbers[0],
            to_number=numbers[1],
            users=users,
            answered_by=answered_by,
            cause=cause,
            leg=leg,
            recordings=recordings,
        )

    def _is_ours(self, number: str) -> bool:
        return number.startswith("sip:") or number in self._settings.ours or f"+{number}" in self._settings.ours

    def _message(self, request: WebhookRequest, fields: Fields) -> Arrival:
        key, status = _short(fields, "MessageUUID"), _short(fields, "Status").casefold()
        if "Text" in fields and status in ("", "received"):
            return SmsArrived(
                source=self._settings.name,
                sms_key=key,
                received_at=request.received_at,
                direction=Direction.INCOMING,
                from_number=_short(fields, "From"),
                to_number=_short(fields, "To"),
                text=one_of(fields, "Text"),
            )
        if not status:
            raise Unreadable(f"the message has neither Text nor Status; {_EXPECTED}")
        return SmsStatusChanged(
            source=self._settings.name,
            sms_key=key,
            dedup_key=f"message:{digest([status])}",
            status=status[:64],
            received_at=request.received_at,
        )


def _query(request: WebhookRequest) -> list[tuple[str, str]]:
    try:
        return parse_qsl(request.query, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise Forged("the query has too many fields") from None


def _fields(request: WebhookRequest) -> Fields:
    return fields_of([*_query(request), *signed_form(request.body)])


def _short(fields: Fields, name: str, chars_max: int = SHORT_CHARS_MAX) -> str:
    return one_of(fields, name).strip()[:chars_max]
