"""Mango Office (VPBX API): calls, recordings and what became of an SMS, posted to our address with a path of its own each.

    POST /hooks/NAME/events/call        one leg of a call appeared, connected, was put on hold or disconnected
    POST /hooks/NAME/events/summary     the whole call is over, and how
    POST /hooks/NAME/events/recording   a recording was begun, goes on or is complete
    POST /hooks/NAME/events/sms         what became of an SMS of ours
    anything else (digits of a menu, results of commands, the cabinet's ping) is taken and says nothing to us

Each is a form of `vpbx_api_key`, `sign` and `json`, where `sign` is the hexadecimal SHA-256 of key, json and salt. The
path is not signed, so what an event is about is read from its content.

Proof: key and signature are compared as texts in constant time. There is no time in the signature: a request that is
sent again is known by what it says, for ever, and changes nothing.

How it is read. `entry_id` is the call, `call_id` a leg: of a menu or queue (`location`), or of one telephone that rings.
The end of a leg is not the end of the call; the summary is. It is believed before the legs, and of it `talk_time`: the
manual has a summary whose `entry_result` says 1 for a call that nobody took. In a call that one of ours begins by a
click the first leg runs backwards, from the customer to our telephone; that it is picked up is no answer. Numbers come
as text or as numbers, times in Unix seconds.

Limits: a call of which no summary came stays open. Incoming SMS are not part of this API. Recordings are named, not
fetched. The manual seen is that of version 1.10 (2017); a newer one may have more events, which are taken and kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from config.tables import Networks
from connectors.base import Forged, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.fields import Fields, digest, one_of, read_fields, read_time, signed_form
from connectors.telephony.signatures import check_network, same
from interactions.arrivals import Arrival, CallChanged, SmsStatusChanged
from interactions.records import Direction

SHORT_CHARS_MAX = 255
_FIELDS = ("vpbx_api_key", "sign", "json")
_DIRECTIONS = {"0": Direction.INTERNAL, "1": Direction.INCOMING, "2": Direction.OUTGOING}
_EXPECTED = "expected an event of the VPBX API, with entry_id and call_state, call_direction or recording_id"
# By the beginning of the code, the longest that fits: a code nobody knows is treated as its class.
_CAUSES = {
    "1110": "cancel", "1111": "noAnswer", "1120": "normalClearing", "1121": "busy", "1122": "rejected",
    "1123": "rejected", "113": "congestion", "115": "blocked", "116": "noAnswer", "119": "congestion",
    "2": "failed", "3": "failed", "42": "congestion", "5": "failed",
}  # fmt: skip
_STATUSES = {"1000": "delivered", "4301": "expired", "4391": "undelivered", "4392": "rejected", "4393": "rejected"}


@dataclass(frozen=True, slots=True)
class MangoSettings:
    """One `[[telephony]]` table of type mango: the key and the salt of the cabinet's page on the API."""

    name: str
    api_key: str
    api_salt: str
    allow_from: Networks = ()


class Mango:
    """The receiver of a Mango Office source (`connectors.base.Receiver`). An empty key or salt is a ValueError."""

    def __init__(self, settings: MangoSettings) -> None:
        if not settings.api_key or not settings.api_salt:
            raise ValueError("api_key or api_salt is empty; both are on the page of the API in Mango's cabinet")
        self._settings = settings

    def verify(self, request: WebhookRequest) -> None:
        """Raises Forged unless key and signature are those of our cabinet."""
        check_network(self._settings.allow_from, request.remote)
        form = _form(request.body)
        has_key = same(self._settings.api_key, form["vpbx_api_key"])
        if not same(self._sign(form["json"]), form["sign"]) or not has_key:
            raise Forged("vpbx_api_key or sign does not fit; are api_key and api_salt those of Mango's cabinet?")

    def _sign(self, text: str) -> str:
        signed = f"{self._settings.api_key}{text}{self._settings.api_salt}"
        return sha256(signed.encode("utf-8", "surrogatepass")).hexdigest()

    def masked_rest(self, request: WebhookRequest) -> str:
        """The rest of the path: there is no secret in it."""
        return request.rest[:SHORT_CHARS_MAX]

    def dedup_key(self, request: WebhookRequest) -> str:
        """What Mango counts its events by, else all that the event says."""
        text = _form(request.body)["json"]
        try:
            fields = read_fields(text.encode(), _EXPECTED)
        except Unreadable:
            return "json:" + sha256(text.encode()).hexdigest()
        kind = _kind(fields)
        counted = {
            "call": ("call_id", "seq"),
            "summary": ("entry_id",),
            "recording": ("recording_id", "seq"),
            "sms": ("command_id", "reason", "timestamp"),
        }.get(kind)
        said = [one_of(fields, name) for name in counted or ()]
        return f"{kind}:{digest(said)}" if said and all(said) else "json:" + sha256(text.encode()).hexdigest()

    def instruct(self, address: str) -> str:
        """What has to be set in the cabinet."""
        return f"set {address} as the address of the external system in Mango's cabinet, on the page of the API"

    def answer(self, request: WebhookRequest) -> WebhookReply:  # noqa: ARG002 (one shape for all receivers)
        """Always the same; Mango reads no more than the status."""
        return WebhookReply()

    def read(self, request: WebhookRequest) -> Sequence[Arrival]:
        """The arrivals in a verified request: up to three facts of a summary. Raises Unreadable."""
        fields = read_fields(_form(request.body)["json"].encode(), _EXPECTED)
        kind = _kind(fields)
        if kind == "call":
            return [self._leg(request, fields)]
        if kind == "summary":
            return self._summary(request, fields)
        if kind == "recording":
            return [self._recording(request, fields)]
        if kind == "sms":
            return [self._sms(request, fields)]
        if kind == "other" or request.rest.strip("/").startswith(("result/", "ping", "events/dtmf")):
            return []
        raise Unreadable(f"it is no event that we know; {_EXPECTED}")

    def _leg(self, request: WebhookRequest, fields: Fields) -> CallChanged:
        from_who, to_who = _short(fields, "from.extension"), _short(fields, "to.extension")
        other, line = _short(fields, "from.number"), _short(fields, "to.line_number")
        is_ours_first = bool(to_who) and not from_who and _is_by_click(fields)
        if is_ours_first or (from_who and not to_who):
            direction: Direction | None = Direction.OUTGOING
            from_number, to_number = line, other if is_ours_first else _short(fields, "to.number")
        elif from_who and to_who:
            direction, from_number, to_number = Direction.INTERNAL, from_who, to_who
        else:
            direction, from_number, to_number = Direction.INCOMING, other, line or _short(fields, "to.number")
        if _short(fields, "from.taken_from_call_id") and direction is not Direction.INCOMING:
            direction, from_number, to_number = None, "", ""  # it says who handed on, not who called whom
        who = to_who or from_who
        event = self._event_of(fields, is_ours_first)
        state, leg = _short(fields, "call_state"), _needed(fields, "call_id")
        return CallChanged(
            source=self._settings.name,
            call_key=_needed(fields, "entry_id"),
            dedup_key=f"leg:{digest([leg, one_of(fields, 'seq'), state])}",
            event=event,
            received_at=request.received_at,
            at=read_time(one_of(fields, "timestamp")),
            direction=direction,
            from_number=from_number,
            to_number=to_number,
            users=(who,) if who else (),
            answered_by=who if event == "answered" else "",
            cause=_cause(fields) if event == "left" else "",
            leg=leg,
            taken_from=_short(fields, "from.taken_from_call_id"),
        )

    def _event_of(self, fields: Fields, is_ours_first: bool) -> str:
        state, location = _short(fields, "call_state"), _short(fields, "location")
        if state == "Disconnected":
            return "left"
        if state not in ("Appeared", "Connected", "OnHold"):
            raise Unreadable(f"call_state is {state[:40]!r}; expected Appeared, Connected, OnHold or Disconnected")
        if state == "OnHold":
            return "noted"
        if location in ("ivr", "queue") or (state == "Connected" and is_ours_first):
            return "machine"
        return "answered" if state == "Connected" else "ringing"

    def _summary(self, request: WebhookRequest, fields: Fields) -> list[Arrival]:
        direction = _DIRECTIONS.get(one_of(fields, "call_direction"))
        sides = [("from.extension", "from.number"), ("to.extension", "to.number")]
        if direction is Direction.OUTGOING and not one_of(fields, sides[0][0]) and one_of(fields, sides[1][0]):
            sides.reverse()  # the first leg of a click to call, told backwards
        (from_who, from_number), (to_who, to_number) = (tuple(_short(fields, name) for name in side) for side in sides)
        line = _short(fields, "line_number")
        who = {Direction.OUTGOING: from_who, Direction.INCOMING: to_who, Direction.INTERNAL: to_who, None: ""}[
            direction
        ]
        if direction is Direction.OUTGOING:
            from_number = line
        elif direction is Direction.INCOMING:
            to_number = line or to_number
        else:
            from_number, to_number = from_who or from_number, to_who or to_number
        key = _needed(fields, "entry_id")
        found: list[Arrival] = []
        for event, name in (("ringing", "create_time"), ("answered", "talk_time"), ("ended", "end_time")):
            at = read_time(one_of(fields, name)) if one_of(fields, name).strip("0") else None
            if event == "answered" and at is None:
                continue
            found.append(
                CallChanged(
                    source=self._settings.name,
                    call_key=key,
                    dedup_key=f"summary:{event}",
                    event=event,
                    received_at=request.received_at,
                    at=at,
                    direction=direction,
                    from_number=from_number,
                    to_number=to_number,
                    answered_by=who if event == "answered" else "",
                    cause=_cause(fields) if event == "ended" else "",
                    is_final=True,
                )
            )
        return found

    def _recording(self, request: WebhookRequest, fields: Fields) -> CallChanged:
        recording, state = _needed(fields, "recording_id"), _short(fields, "recording_state")
        return CallChanged(
            source=self._settings.name,
            call_key=_needed(fields, "entry_id"),
            dedup_key=f"recording:{digest([recording, one_of(fields, 'seq'), state])}",
            event="noted",
            received_at=request.received_at,
            at=read_time(one_of(fields, "timestamp")),
            recordings=(recording,) if state == "Completed" else (),
        )

    def _sms(self, request: WebhookRequest, fields: Fields) -> SmsStatusChanged:
        reason, at = _short(fields, "reason"), one_of(fields, "timestamp")
        return SmsStatusChanged(
            source=self._settings.name,
            sms_key=_needed(fields, "command_id"),
            dedup_key=f"sms:{digest([reason, at])}",
            status=_STATUSES.get(reason, "failed"),
            received_at=request.received_at,
            at=read_time(at),
        )


def _form(body: bytes) -> dict[str, str]:
    """The three fields of a request, each there once. Raises Forged."""
    pairs = signed_form(body)
    if sorted(name for name, _ in pairs) != sorted(_FIELDS):
        raise Forged(f"the form has other fields than {', '.join(_FIELDS)}, each once")
    return dict(pairs)


def _kind(fields: Fields) -> str:
    """What an event is about, by what it says."""
    if "recording_id" in fields:
        return "recording"
    if "call_state" in fields:
        return "call"
    if "call_direction" in fields or "entry_result" in fields:
        return "summary"
    if "command_id" in fields and "reason" in fields:
        return "sms"
    return "other" if "dtmf" in fields or "result" in fields else "unknown"


def _is_by_click(fields: Fields) -> bool:
    return bool(one_of(fields, "command_id") or one_of(fields, "callback_initiator"))


def _cause(fields: Fields) -> str:
    code = one_of(fields, "disconnect_reason").strip()
    return next((_CAUSES[code[:n]] for n in range(len(code), 0, -1) if code[:n] in _CAUSES), "")


def _short(fields: Fields, name: str) -> str:
    return one_of(fields, name).strip()[:SHORT_CHARS_MAX]


def _needed(fields: Fields, name: str) -> str:
    text = _short(fields, name)
    if not text:
        raise Unreadable(f"the field {name} is missing; {_EXPECTED}")
    return text
