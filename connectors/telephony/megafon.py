"""MegaFon's virtual PBX, and whoever else sells the same product (ITooLabs): calls as forms or JSON, with a token inside.

    cmd=event     type INCOMING, OUTGOING, ACCEPTED, COMPLETED, CANCELLED, TRANSFERRED: what happens to a call
    cmd=history   the whole call when it is over: status, start, duration, link of its recording
    cmd=contact   asks who is calling while it holds the call: answered at once with nothing, so that nothing is held up
    cmd=rating    what a caller thinks of us: taken, and says nothing to us

Proof: `crm_token` in the body is the `secret`, compared in constant time. Nothing is signed and there is no time in it;
`allow_from` narrows who may try. A token is not stored with the path, but it is part of the body that is kept.

How it is read. `callid` is the call, `second_callid` another name of it after a transfer. In a group each telephone has
an INCOMING of its own and a CANCELLED where another took the call, so CANCELLED ends one leg only. The history is
believed before the events: its `status` says how the call ended, `duration` is not used, since no source says whether
ringing is part of it. `start` is UTC.

Limits: confirmed by programs of others that read these webhooks, not by the operator's manual.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from config.tables import Networks
from connectors.base import Forged, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.fields import Fields, digest, one_of, read_fields
from connectors.telephony.signatures import check_network, same
from interactions.arrivals import Arrival, CallChanged
from interactions.records import Direction

SHORT_CHARS_MAX = 255
_EXPECTED = "expected cmd event (with type and callid) or history (with status and callid)"
_DIRECTIONS = {"in": Direction.INCOMING, "out": Direction.OUTGOING}
_EVENTS = {
    "INCOMING": "ringing", "OUTGOING": "ringing", "ACCEPTED": "answered", "COMPLETED": "ended", "CANCELLED": "left",
    "TRANSFERRED": "noted",
}  # fmt: skip
_CAUSES = {
    "success": "normalClearing", "missed": "noAnswer", "cancel": "cancel", "busy": "busy", "notavailable": "congestion",
    "notallowed": "blocked", "notfound": "notFound",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class MegafonSettings:
    """One `[[telephony]]` table of type megafon. `secret` is the token (`crm_token`) of the cabinet."""

    name: str
    secret: str
    allow_from: Networks = ()


class Megafon:
    """The receiver of a MegaFon source (`connectors.base.Receiver`). An empty secret is a ValueError."""

    def __init__(self, settings: MegafonSettings) -> None:
        if not settings.secret:
            raise ValueError("secret is empty; it is the token of the integration in the cabinet of the PBX")
        self._settings = settings

    def verify(self, request: WebhookRequest) -> None:
        """Raises Forged unless the body names our token."""
        check_network(self._settings.allow_from, request.remote)
        try:
            fields = read_fields(request.body, _EXPECTED)
        except Unreadable:
            raise Forged("the body can't be read, so no crm_token is in it") from None
        if len(fields.get("crm_token", [])) != 1 or not same(self._settings.secret, one_of(fields, "crm_token")):
            raise Forged("crm_token is missing or wrong; is secret the token of the PBX's cabinet?")

    def masked_rest(self, request: WebhookRequest) -> str:
        """The rest of the path: there is no secret in it."""
        return request.rest[:SHORT_CHARS_MAX]

    def dedup_key(self, request: WebhookRequest) -> str:
        """All that the event says, in whatever order and form."""
        fields = read_fields(request.body, _EXPECTED)
        said = [part for name in sorted(fields) if name != "crm_token" for part in (name, *fields[name])]
        return "said:" + digest(said) if said else "body:" + sha256(request.body).hexdigest()

    def instruct(self, address: str) -> str:
        """What has to be set in the cabinet."""
        return (
            f"set {address} as the address of your CRM in the cabinet of the PBX, and secret as its token (crm_token)"
        )

    def answer(self, request: WebhookRequest) -> WebhookReply:  # noqa: ARG002 (one shape for all receivers)
        """Always the same: no name and nobody responsible, so that no call is led anywhere."""
        return WebhookReply()

    def read(self, request: WebhookRequest) -> Sequence[Arrival]:
        """The arrivals in a verified request. Raises Unreadable."""
        fields = read_fields(request.body, _EXPECTED)
        command = one_of(fields, "cmd").strip().casefold()
        if command == "event":
            return [self._event(request, fields)]
        if command == "history":
            return self._history(request, fields)
        if command in ("contact", "rating"):
            return []
        raise Unreadable(f"cmd is {command[:40]!r}; {_EXPECTED}")

    def _event(self, request: WebhookRequest, fields: Fields) -> CallChanged:
        kind = _short(fields, "type").upper()
        event = _EVENTS.get(kind)
        if event is None:
            raise Unreadable(f"type is {kind[:40]!r}; {_EXPECTED}")
        direction = _DIRECTIONS.get(_short(fields, "direction").casefold())
        if direction is None and kind in ("INCOMING", "OUTGOING"):
            direction = Direction.INCOMING if kind == "INCOMING" else Direction.OUTGOING
        who, call = _who(fields), _needed(fields, "callid")
        second = _short(fields, "second_callid")
        from_number, to_number = _numbers(fields, direction)
        return CallChanged(
            source=self._settings.name,
            call_key=call,
            dedup_key=f"{kind}:{digest([who, second])}",
            event=event,
            received_at=request.received_at,
            direction=direction,
            from_number=from_number,
            to_number=to_number,
            users=(who,) if who else (),
            answered_by=who if event == "answered" else "",
            cause="cancel" if event == "left" else "",
            leg=who if event != "ended" else "",
            aliases=(second,) if second and second != call else (),
        )

    def _history(self, request: WebhookRequest, fields: Fields) -> list[Arrival]:
        status = _short(fields, "status").casefold().replace(" ", "")
        if status not in _CAUSES:
            raise Unreadable(f"status is {status[:40]!r}; {_EXPECTED}")
        direction = _DIRECTIONS.get(_short(fields, "type").casefold())
        from_number, to_number = _numbers(fields, direction)
        who, link, start = _who(fields), one_of(fields, "link").strip(), _time(one_of(fields, "start"))
        found: list[Arrival] = []
        for event in ("ringing", "answered", "ended"):
            if event == "answered" and status != "success":
                continue
            found.append(
                CallChanged(
                    source=self._settings.name,
                    call_key=_needed(fields, "callid"),
                    dedup_key=f"history:{event}",
                    event=event,
                    received_at=request.received_at,
                    at=start if event == "ringing" else None,
                    direction=direction,
                    from_number=from_number,
                    to_number=to_number,
                    users=(who,) if who else (),
                    answered_by=who if event == "answered" else "",
                    cause=_CAUSES[status] if event == "ended" else "",
                    recordings=(link,) if link and event == "ended" else (),
                    is_final=True,
                )
            )
        return found


def _who(fields: Fields) -> str:
    return _short(fields, "ext") or _short(fields, "user")


def _numbers(fields: Fields, direction: Direction | None) -> tuple[str, str]:
    """From and to. `phone` is the other side, `diversion` our line; `telnum` is a telephone of ours."""
    other, line = _short(fields, "phone"), _short(fields, "diversion")
    if direction is None:
        return "", ""  # it does not say who called whom
    return (line, other) if direction is Direction.OUTGOING else (other, line)


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text.strip(), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _short(fields: Fields, name: str) -> str:
    return one_of(fields, name).strip()[:SHORT_CHARS_MAX]


def _needed(fields: Fields, name: str) -> str:
    text = _short(fields, name)
    if not text:
        raise Unreadable(f"the field {name} is missing; {_EXPECTED}")
    return text
