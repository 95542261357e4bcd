"""Which mails are suspected of breaking connections: remembered over all folders of a source and all its restarts."""

from collections.abc import Sequence

STRIKES_KEPT_MAX = 10_000


class Strikes:
    """How often the connection broke while a mail was fetched."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int, int], int] = {}

    def of(self, folder: str, uidvalidity: int, uids: Sequence[int]) -> dict[int, int]:
        return {uid: n for uid in uids if (n := self._counts.get((folder, uidvalidity, uid), 0))}

    def add(self, folder: str, uidvalidity: int, uids: Sequence[int]) -> None:
        for uid in uids:
            key = (folder, uidvalidity, uid)
            self._counts[key] = self._counts.pop(key, 0) + 1
        while len(self._counts) > STRIKES_KEPT_MAX:
            del self._counts[next(iter(self._counts))]

    def clear(self, folder: str, uidvalidity: int, uids: Sequence[int]) -> None:
        for uid in uids:
            self._counts.pop((folder, uidvalidity, uid), None)
