"""Zadarma's cloud PBX: notifications of calls as forms, each with a signature over a few of its fields.

    NOTIFY_START      a call came in            caller_id + called_did + call_start
    NOTIFY_INTERNAL   a telephone of ours rings         the same
    NOTIFY_IVR        a menu has the caller             the same
    NOTIFY_ANSWER     it was answered           caller_id + destination + call_start
    NOTIFY_END        the call is over          caller_id + called_did + call_start
    NOTIFY_OUT_START, NOTIFY_OUT_END            internal + destination + call_start
    NOTIFY_RECORD     a recording is there      pbx_call_id + call_id_with_rec

Proof: HMAC-SHA1 with the API secret over the fields named above, in the header `Signature`, as base64 of its hexadecimal
letters or of its bytes: the provider's own libraries do both, so both are accepted. Only these fields are protected;
`disposition`, `duration` and `pbx_call_id` are as true as the way they came, which `allow_from` can narrow. When the
address is saved the cabinet asks for it with `zd_echo`, unsigned: that is answered with its value, and says nothing.

How it is read. `pbx_call_id` is the call. That the PBX picks up is no answer; NOTIFY_ANSWER is, and for a call out the
disposition of its end. `call_start` has no zone and is the same in all events of a call, so the moment of receipt counts.
The answer to an event is empty: it could lead the call to a menu otherwise.

Limits: SMS and other notifications have no documented signature and are refused. Recordings are named, not fetched. A
call begun by a click first rings our own telephone as if somebody called it.
"""

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha1
from urllib.parse import parse_qsl

from config.tables import Networks
from connectors.base import Forged, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.fields import Fields, digest, fields_of, one_of, signed_form
from connectors.telephony.signatures import check_network, same
from interactions.arrivals import Arrival, CallChanged
from interactions.records import Direction

SHORT_CHARS_MAX = 255
SECONDS_MAX = 86_400
_ECHO = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_EXPECTED = "expected NOTIFY_START, _INTERNAL, _IVR, _ANSWER, _END, _OUT_START, _OUT_END or _RECORD with pbx_call_id"
_INCOMING = ("caller_id", "called_did", "call_start")
_OUTGOING = ("internal", "destination", "call_start")
_SIGNED: Mapping[str, tuple[str, ...]] = {
    "NOTIFY_START": _INCOMING,
    "NOTIFY_INTERNAL": _INCOMING,
    "NOTIFY_IVR": _INCOMING,
    "NOTIFY_ANSWER": ("caller_id", "destination", "call_start"),
    "NOTIFY_END": _INCOMING,
    "NOTIFY_OUT_START": _OUTGOING,
    "NOTIFY_OUT_END": _OUTGOING,
    "NOTIFY_RECORD": ("pbx_call_id", "call_id_with_rec"),
}
_FACTS = {
    "NOTIFY_START": "ringing", "NOTIFY_INTERNAL": "ringing", "NOTIFY_IVR": "machine", "NOTIFY_ANSWER": "answered",
    "NOTIFY_END": "ended", "NOTIFY_OUT_START": "ringing", "NOTIFY_OUT_END": "ended", "NOTIFY_RECORD": "noted",
}  # fmt: skip
_CAUSES = {
    "answered": "normalClearing", "busy": "busy", "cancel": "cancel", "no answer": "noAnswer",
    "unallocated number": "notFound",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ZadarmaSettings:
    """One `[[telephony]]` table of type zadarma. `secret` is the secret of the API key."""

    name: str
    secret: str
    allow_from: Networks = ()


class Zadarma:
    """The receiver of a Zadarma source (`connectors.base.Receiver`). An empty secret is a ValueError."""

    def __init__(self, settings: ZadarmaSettings) -> None:
        if not settings.secret:
            raise ValueError("secret is empty; it is the secret beside the API key in Zadarma's cabinet")
        self._settings = settings

    def verify(self, request: WebhookRequest) -> None:
        """Raises Forged unless the event is signed, or nothing but the cabinet's question for the address."""
        check_network(self._settings.allow_from, request.remote)
        if _echo(request):
            return
        fields = fields_of(signed_form(request.body))
        names = _SIGNED.get(one_of(fields, "event"))
        if names is None:
            raise Forged("it is no event whose signature is documented")
        if any(len(fields.get(name, [])) > 1 for name in (*names, "event")):
            raise Forged("a signed field is there twice")
        text = "".join(one_of(fields, name) for name in names)
        mac = hmac.new(self._settings.secret.encode(), text.encode("utf-8", "surrogatepass"), sha1)
        given, found = request.headers.get("signature", ""), False
        for proof in (mac.hexdigest().encode(), mac.digest()):
            found |= same(base64.b64encode(proof).decode("ascii"), given)
        if not found or not text:
            raise Forged("Signature is missing or wrong; is secret that of the API key in Zadarma's cabinet?")

    def masked_rest(self, request: WebhookRequest) -> str:
        """The rest of the path: there is no secret in it."""
        return request.rest[:SHORT_CHARS_MAX]

    def dedup_key(self, request: WebhookRequest) -> str:
        """All that the event says. Questions for the address are one, however often they come."""
        if _echo(request):
            return "echo"
        fields = fields_of(signed_form(request.body))
        return "said:" + digest(part for name in sorted(fields) for part in (name, *fields[name]))

    def instruct(self, address: str) -> str:
        """What has to be set in the cabinet."""
        return f"set {address} as the address of PBX call notifications in Zadarma's cabinet, with all kinds of them"

    def answer(self, request: WebhookRequest) -> WebhookReply:
        """An empty answer, which leads no call anywhere; for the cabinet its own value."""
        echo = _echo(request)
        return WebhookReply(body=echo.encode(), content_type="text/plain") if echo else WebhookReply()

    def read(self, request: WebhookRequest) -> Sequence[Arrival]:
        """The arrivals in a verified request. Raises Unreadable."""
        if _echo(request):
            return []
        fields = fields_of(signed_form(request.body))
        event = one_of(fields, "event")
        if event not in _FACTS or not _short(fields, "pbx_call_id"):
            raise Unreadable(f"the event is {event[:40]!r} or has no pbx_call_id; {_EXPECTED}")
        found = [self._fact(request, fields, event)]
        answered = self._answer_at_the_end(request, fields, event)
        return [*found, answered] if answered else found

    def _fact(self, request: WebhookRequest, fields: Fields, event: str) -> CallChanged:
        is_outgoing, is_record = event.startswith("NOTIFY_OUT_"), event == "NOTIFY_RECORD"
        who = _short(fields, "internal")
        direction = None if is_record else Direction.OUTGOING if is_outgoing else Direction.INCOMING
        other = _short(fields, "destination") if is_outgoing else _short(fields, "caller_id")
        line = _short(fields, "caller_id") if is_outgoing else _short(fields, "called_did")
        is_our_leg = event in ("NOTIFY_INTERNAL", "NOTIFY_ANSWER")
        recording = _short(fields, "call_id_with_rec")
        disposition = _short(fields, "disposition").casefold()
        return CallChanged(
            source=self._settings.name,
            call_key=_short(fields, "pbx_call_id"),
            dedup_key=f"{event}:{digest([who, recording])}",
            event=_FACTS[event],
            received_at=request.received_at,
            direction=direction,
            from_number=line if is_outgoing else other,
            to_number=other if is_outgoing else line,
            users=(who,) if who else (),
            answered_by=(who or _short(fields, "destination")) if event == "NOTIFY_ANSWER" else "",
            cause=_CAUSES.get(disposition, "failed" if disposition else "") if _FACTS[event] == "ended" else "",
            leg=who if is_our_leg else "",
            recordings=(recording,) if is_record and recording else (),
        )

    def _answer_at_the_end(self, request: WebhookRequest, fields: Fields, event: str) -> CallChanged | None:
        """The answer of a call out, and of a call in that a known telephone of ours had, as its end tells."""
        who = _short(fields, "internal" if event == "NOTIFY_OUT_END" else "last_internal")
        if event not in ("NOTIFY_END", "NOTIFY_OUT_END") or _short(fields, "disposition").casefold() != "answered":
            return None
        if event == "NOTIFY_END" and not who:
            return None  # a menu may have answered, and nobody else
        return CallChanged(
            source=self._settings.name,
            call_key=_short(fields, "pbx_call_id"),
            dedup_key=f"{event}:answered",
            event="answered",
            received_at=request.received_at,
            at=_before(request.received_at, _short(fields, "duration")),
            answered_by=who,
        )


def _echo(request: WebhookRequest) -> str:
    """The value that the cabinet wants back, where a request asks for nothing else."""
    if request.body or "zd_echo=" not in request.query:
        return ""
    pairs = parse_qsl(request.query[:200])
    return pairs[0][1] if len(pairs) == 1 and pairs[0][0] == "zd_echo" and _ECHO.match(pairs[0][1]) else ""


def _before(at: datetime, seconds: str) -> datetime:
    return at - timedelta(seconds=min(int(seconds), SECONDS_MAX) if seconds.isascii() and seconds.isdecimal() else 0)


def _short(fields: Fields, name: str) -> str:
    return one_of(fields, name).strip()[:SHORT_CHARS_MAX]
