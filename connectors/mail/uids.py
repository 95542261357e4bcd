"""Lists of UIDs as servers send them, however long: four bytes a mail, ascending, each once.

    * SEARCH 2 84 882                       one after the other, in any order (RFC 9051 §7.3.4, RFC 3501 §7.2.5)
    * ESEARCH (TAG "A1") UID ALL 2,84:882   as ranges (RFC 4731)

A folder of three million mails is 25 MB of text in one line. `ResponseReader` hands over its numbers as they come, so the
line never lies in memory; here they are put in order a piece at a time, and other work goes on between two pieces. Only
where a server shuffles them they are sorted, by their upper halves first, so that no sort is a long one.

What is no UID is nothing to us. More than `UIDS_MAX` are not believed: the connection is closed.
"""

import asyncio
import re
from array import array
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from connectors.mail.responses import UIDS_MAX, Garbled, Response, singles, spans

Uids: TypeAlias = "array[int]"

AT_ONCE = 16_384  # numbers that are handled without a look at other work
_ROUGH_BITS = 16
_COMPACT_COUNT = 1 << 17
_ALL = re.compile(rb"\* ESEARCH\b.*?\bALL ([^\s()]*)", re.IGNORECASE | re.DOTALL)


async def of_answer(responses: Iterable[Response], peer: str) -> Uids:
    """The UIDs in the answer to a search; ascending, each once."""
    found: Uids = array("I")
    is_ascending = True
    for piece in _pieces(responses, peer):
        ordered = sorted(set(piece))
        if ordered and ordered[0] == 0:
            del ordered[0]
        if ordered:
            is_ascending = is_ascending and (not found or found[-1] < ordered[0])
            found.extend(ordered)
            if len(found) > UIDS_MAX:
                raise _too_many(peer)
        if len(piece) >= AT_ONCE:
            await asyncio.sleep(0)
    return found if is_ascending else await _in_order(found)


def _pieces(responses: Iterable[Response], peer: str) -> Iterator[Uids]:
    for response in responses:
        if response.text[:9].upper() == b"* SEARCH ":
            yield from _cut(response.numbers)
            # Some servers add (MODSEQ n).
            yield from _cut(singles(response.text[9:].partition(b"(")[0]))
        elif (last := _ALL.match(response.text)) is not None:
            yield from _expanded(response.numbers, peer)
            yield from _expanded(spans(last[1]), peer)


def _cut(numbers: "Uids | None") -> Iterator[Uids]:
    if numbers is not None:
        for start in range(0, len(numbers), AT_ONCE):
            yield numbers[start : start + AT_ONCE]


def _expanded(ends: "Uids | None", peer: str) -> Iterator[Uids]:
    """Ranges as numbers: `ends` are first, last, first, last, …"""
    count = 0
    for at in range(0, len(ends or ()), 2 * AT_ONCE):
        assert ends is not None
        firsts, lasts = ends[at : at + 2 * AT_ONCE : 2], ends[at + 1 : at + 2 * AT_ONCE : 2]
        if firsts == lasts:
            count += len(firsts)
            yield firsts
            continue
        piece: Uids = array("I")
        for first, last in zip(firsts, lasts, strict=True):
            count += abs(last - first) + 1
            if count > UIDS_MAX:
                raise _too_many(peer)
            low, high = min(first, last), max(first, last) + 1
            for start in range(low, high, AT_ONCE):
                piece.extend(range(start, min(start + AT_ONCE, high)))
                if len(piece) >= AT_ONCE:
                    yield piece
                    piece = array("I")
        yield piece


async def _in_order(found: Uids) -> Uids:
    """What came shuffled."""
    buckets: dict[int, Uids] = {}
    for start in range(0, len(found), AT_ONCE):
        for uid in found[start : start + AT_ONCE]:
            bucket = buckets.get(uid >> _ROUGH_BITS)
            if bucket is None:
                bucket = buckets[uid >> _ROUGH_BITS] = array("I")
            bucket.append(uid)
            if len(bucket) >= _COMPACT_COUNT:  # the same ones again and again
                buckets[uid >> _ROUGH_BITS] = array("I", set(bucket))
        await asyncio.sleep(0)
    ordered: Uids = array("I")
    told = 0
    for rough in sorted(buckets):
        ordered.extend(sorted(set(buckets.pop(rough))))
        if len(ordered) - told >= AT_ONCE:
            told = len(ordered)
            await asyncio.sleep(0)
    return ordered


def _too_many(peer: str) -> Garbled:
    return Garbled(f"{peer} claims more than {UIDS_MAX} mails in one folder; the connection was closed")
