"""Ids that follow time, and times that can be believed."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.records import sane_time, uuid7

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
DIGEST = sha256(b"x").digest()
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, st.binary(min_size=10, max_size=32))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_an_id_is_a_uuid_of_version_7_with_its_time(at: datetime, randomness: bytes) -> None:
    made = uuid7(at, randomness)

    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert int.from_bytes(made.bytes[:6], "big") == int(at.timestamp() * 1000)


def test_an_id_is_made_of_the_bytes_it_is_given() -> None:
    made = uuid7(datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC), bytes.fromhex("ccc398c4dc0c0c07398f"))

    # The example of RFC 9562, appendix A.6, with its own random bits.
    assert str(made) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


def test_the_order_of_ids_is_the_order_of_time() -> None:
    moments = [NOW + timedelta(milliseconds=n) for n in range(100)]
    ids = [uuid7(at, sha256(at.isoformat().encode()).digest()) for at in moments]

    assert sorted(ids) == ids


def test_one_event_has_one_id_and_two_have_two() -> None:
    assert uuid7(NOW, DIGEST) == uuid7(NOW.astimezone(timezone(timedelta(hours=3))), DIGEST)
    assert uuid7(NOW, DIGEST) != uuid7(NOW, sha256(b"y").digest())
    assert uuid7(NOW, DIGEST) != uuid7(NOW + timedelta(milliseconds=1), DIGEST)


@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, tzinfo=UTC)])
def test_a_time_before_the_first_is_held_at_it(at: datetime) -> None:
    assert uuid7(at, DIGEST).bytes[:6] == bytes(6)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (None, NOW),
        (datetime(2026, 11, 23, 9), NOW),  # noqa: DTZ001
        (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
        (datetime(2026, 11, 1, 3, tzinfo=timezone(timedelta(hours=3))), datetime(2026, 11, 1, tzinfo=UTC)),
        (datetime(1990, 1, 1, tzinfo=UTC), datetime(1990, 1, 1, tzinfo=UTC)),
        (datetime(1989, 12, 31, tzinfo=UTC), NOW),
        (datetime(1990, 1, 1, tzinfo=timezone(timedelta(hours=3))), NOW),
        (NOW + timedelta(days=1), NOW + timedelta(days=1)),
        (NOW + timedelta(days=1, seconds=1), NOW),
        (datetime(9999, 12, 31, tzinfo=UTC), NOW),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), NOW),
        (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))), NOW),
    ],
)
def test_a_time_is_believed_from_1990_to_tomorrow(at: datetime | None, expected: datetime) -> None:
    found = sane_time(at, NOW)

    assert found == expected
    assert found.utcoffset() == timedelta()
