"""Lists of UIDs: in any form, any order, any length, they come out ascending and each once."""

import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mail.responses import STREAM_BYTES, UIDS_MAX, Garbled, Response, ResponseReader, singles, spans
from connectors.mail.uids import AT_ONCE, of_answer
from tests.fakes.loop_watch import watched_loop

PEER = "imap.example.org:993"


async def read(*lines: bytes, piece: int = 100_000) -> list[int]:
    """The UIDs in these lines, which come in pieces."""
    reader, responses = ResponseReader(PEER), list[Response]()
    said = b"".join(line + b"\r\n" for line in lines)
    for start in range(0, len(said), piece):
        responses += reader.feed(said[start : start + piece])
    assert reader.is_idle
    return (await of_answer(responses, PEER)).tolist()


@pytest.mark.parametrize(
    ("said", "uids"),
    [
        ([], []),
        ([b"* SEARCH"], []),
        ([b"* SEARCH "], []),
        ([b"* SEARCH 9 2 2 10"], [2, 9, 10]),
        ([b"* SEARCH 1", b"* SEARCH 2"], [1, 2]),
        ([b"* search 2", b"* SEARCH 1 2"], [1, 2]),
        ([b"* SEARCH 5 (MODSEQ 917162500)"], [5]),
        ([b"* SEARCH 0 4294967296 -3 x 7 99999999999999999999"], [7]),
        ([b'* ESEARCH (TAG "A1") UID ALL 2,10:12,4294967295'], [2, 10, 11, 12, 4294967295]),
        ([b'* ESEARCH (TAG "A1") UID'], []),
        ([b'* ESEARCH (TAG "A1") UID COUNT 3 ALL 7:5 MODSEQ 9'], [5, 6, 7]),
        ([b"* ESEARCH UID ALL 3,1:2,2"], [1, 2, 3]),
        ([b"* ESEARCH ALL 0,x,5:,:6,1:2:3,4294967296,7"], [7]),
        ([b"* 5 EXISTS", b"* SEARCHES 5", b"* LIST () NIL 5"], []),
    ],
)
async def test_searches(said: list[bytes], uids: list[int]) -> None:
    assert await read(*said) == uids


@given(st.lists(st.integers(1, 2**32 - 1), max_size=60), st.integers(1, 40))
def test_numbers_are_numbers_in_either_form(uids: list[int], at: int) -> None:
    assert singles(b" ".join(b"%d" % uid for uid in uids)).tolist() == uids
    assert spans(b",".join(b"%d:%d" % (uid, uid) for uid in uids)).tolist() == [uid for uid in uids for _ in range(2)]
    assert singles(bytes(uids[0] % 256 for _ in range(at)) if uids else b"") is not None


@pytest.mark.parametrize("piece", [STREAM_BYTES - 1, STREAM_BYTES, 3 * STREAM_BYTES + 1, 5_000_000])
async def test_a_long_line_is_read_however_it_is_cut(piece: int) -> None:
    uids = list(range(1, 200_000, 7))
    line = b"* SEARCH " + b" ".join(b"%d" % uid for uid in uids)
    ranges = b'* ESEARCH (TAG "A7") UID ALL ' + b",".join(b"%d" % uid for uid in uids)

    assert await read(line, piece=piece) == uids
    assert await read(line + b" (MODSEQ 7)", piece=piece) == uids
    assert await read(ranges, piece=piece) == uids


async def test_shuffled_uids_with_gaps_come_out_in_order() -> None:
    rng = random.Random(7)
    uids = [rng.randrange(1, 2**32) for _ in range(60_000)] + list(range(70_000, 130_000))
    rng.shuffle(uids)

    assert await read(b"* SEARCH " + b" ".join(b"%d" % uid for uid in uids)) == sorted(set(uids))


@pytest.mark.parametrize("shuffled", [False, True])
async def test_three_million_uids_are_put_in_order_without_holding_up_others(shuffled: bool) -> None:
    uids = array("I", range(1, 3_000_001))
    if shuffled:
        for start in range(0, len(uids), AT_ONCE):
            uids[start : start + AT_ONCE] = uids[start : start + AT_ONCE][::-1]
        half = len(uids) // 2
        uids = uids[half:] + uids[:half]

    async with watched_loop() as watch:
        found = await of_answer([Response((b"* SEARCH ",), uids)], PEER)

    assert (len(found), found[0], found[-1]) == (3_000_000, 1, 3_000_000)
    assert watch.longest < 0.25


@pytest.mark.parametrize("said", [b"* ESEARCH UID ALL 1:4294967295", b"* ESEARCH UID ALL " + b"1:9000000," * 3])
async def test_more_mails_than_any_folder_holds_are_not_believed(said: bytes) -> None:
    with pytest.raises(Garbled, match=f"more than {UIDS_MAX} mails"):
        await read(said)


async def test_the_same_uid_without_end_is_one_and_takes_no_memory() -> None:
    assert await read(b"* SEARCH " + b"7 " * 1_000_000) == [7]
