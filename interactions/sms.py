"""What became of an SMS: the fold of its delivery reports, and how many segments a text takes.

States by rank: queued < sent < failed < delivered. A late positive receipt beats a failure, being more specific;
`unknown` says nothing and never wins over a known state.
"""

from collections.abc import Iterable

_RANKS = {
    "queued": 1, "accepted": 1, "sending": 1, "sent": 2, "failed": 3, "rejected": 3, "undelivered": 3, "expired": 3,
    "delivered": 4, "read": 4,
}  # fmt: skip
_STATES = {1: "queued", 2: "sent", 3: "failed", 4: "delivered"}
# GSM 03.38: the basic alphabet, and what takes two places
_GSM = frozenset("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
                 "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")  # fmt: skip
_GSM_TWO = frozenset("^{}\\[~]|€\f")


def merge_status(statuses: Iterable[str], initial: str) -> str:
    """The state after any reports in any order; `initial` where none says anything."""
    rank = max((_RANKS.get(status.lower(), 0) for status in statuses), default=0)
    return _STATES.get(rank, initial)


def segments(text: str) -> int:
    """How many messages a text is sent as: 160/153 characters in the GSM alphabet, else 70/67 UTF-16 units."""
    if all(c in _GSM or c in _GSM_TWO for c in text):
        length = sum(2 if c in _GSM_TWO else 1 for c in text)
        single, joined = 160, 153
    else:
        length = len(text.encode("utf-16-le", "surrogatepass")) // 2
        single, joined = 70, 67
    return 1 if length <= single else -(-length // joined)
