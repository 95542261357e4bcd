"""SMS.ru: what became of messages of ours, many to a request.

A form of `data[0]`, `data[1]`, …, each a text of several lines, and `hash`, the hexadecimal SHA-256 of the `api_id` and
all texts in the order of their numbers:

    sms_status          id, code, Unix time     what became of a message
    callcheck_status    id, code, Unix time     of a call that proves a number: says nothing to us
    test                Unix time               the service tries the address, alone or among others

Proof: the hash, compared in constant time. There is no time in it; a repeat is known by what it says, and changes
nothing. The answer has to be `100`, or the whole batch comes again.

Limits: incoming messages are not part of these notifications.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from config.tables import Networks
from connectors.base import Forged, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.fields import digest, read_time, signed_form
from connectors.telephony.signatures import check_network, same
from interactions.arrivals import Arrival, SmsStatusChanged

SHORT_CHARS_MAX = 255
_NAME = re.compile(r"data\[(\d{1,4})\]\Z")
_EXPECTED = "expected sms_status with id, code and time, one in a line"
_STATUSES = {
    "-1": "failed", "100": "queued", "101": "sending", "102": "sent", "103": "delivered", "104": "expired",
    "105": "undelivered", "106": "undelivered", "107": "undelivered", "108": "rejected",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SmsRuSettings:
    """One `[[telephony]]` table of type sms_ru."""

    name: str
    api_id: str
    allow_from: Networks = ()


class SmsRu:
    """The receiver of an SMS.ru source (`connectors.base.Receiver`). An empty api_id is a ValueError."""

    def __init__(self, settings: SmsRuSettings) -> None:
        if not settings.api_id:
            raise ValueError("api_id is empty; it is on the first page of SMS.ru's cabinet")
        self._settings = settings

    def verify(self, request: WebhookRequest) -> None:
        """Raises Forged unless the hash is that of our api_id and all entries."""
        check_network(self._settings.allow_from, request.remote)
        entries, proofs = _entries(request.body)
        text = self._settings.api_id + "".join(entries)
        expected = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        if len(proofs) != 1 or not same(expected, proofs[0]):
            raise Forged("hash is missing or wrong; is api_id that of SMS.ru's cabinet?")

    def masked_rest(self, request: WebhookRequest) -> str:
        """The rest of the path: there is no secret in it."""
        return request.rest[:SHORT_CHARS_MAX]

    def dedup_key(self, request: WebhookRequest) -> str:
        """All that the entries say."""
        return "said:" + digest(_entries(request.body)[0])

    def instruct(self, address: str) -> str:
        """What has to be set in the cabinet."""
        return f"add {address} as a callback handler in SMS.ru's cabinet"

    def answer(self, request: WebhookRequest) -> WebhookReply:  # noqa: ARG002 (one shape for all receivers)
        """What SMS.ru wants to hear."""
        return WebhookReply(body=b"100", content_type="text/plain")

    def read(self, request: WebhookRequest) -> Sequence[Arrival]:
        """The reports in a verified request. Raises Unreadable."""
        found: list[Arrival] = []
        for entry in _entries(request.body)[0]:
            kind, *lines = [line.strip() for line in entry.replace("\x00", "").split("\n")]
            if kind in ("test", "callcheck_status"):
                continue
            if kind != "sms_status" or len(lines) < 2 or not lines[0] or len(lines[0]) > SHORT_CHARS_MAX:
                raise Unreadable(f"an entry begins with {kind[:40]!r}; {_EXPECTED}")
            code, at = lines[1], read_time(lines[2]) if len(lines) > 2 else None
            found.append(
                SmsStatusChanged(
                    source=self._settings.name,
                    sms_key=lines[0],
                    dedup_key=f"{code[:16]}:{digest(lines[1:])}",
                    status=_STATUSES.get(code, "unknown"),
                    received_at=request.received_at,
                    at=at,
                )
            )
        return found


def _entries(body: bytes) -> tuple[list[str], list[str]]:
    """The entries in the order of their numbers, and the hashes. Raises Forged."""
    pairs = signed_form(body)
    numbered = [(int(found[1]), value) for name, value in pairs if (found := _NAME.match(name))]
    if len({number for number, _ in numbered}) != len(numbered):
        raise Forged("two entries have one number")
    return [value for _, value in sorted(numbered)], [value for name, value in pairs if name == "hash"]
