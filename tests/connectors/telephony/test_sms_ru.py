"""SMS.ru: batches of reports that are hashed with our api_id are read, whatever else is among them."""

from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Forged, Receiver, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.sms_ru import SmsRu, SmsRuSettings
from interactions.sms import merge_status
from tests.fakes.webhooks import expected, mutated, recorded, request, said, samples

API_ID = "11111111-2222-3333-4444-555555555555"
SOURCE = SmsRu(SmsRuSettings("main", API_ID))
DELIVERED = "sms_status\n201737-100000\n103\n1786346415"
SENT = "sms_status\n201737-100000\n102\n1786346400"
OTHER = "sms_status\n201737-100001\n104\n1786346415"


def signed(*entries: str, first: int = 0, api_id: str = API_ID) -> WebhookRequest:
    pairs = [(f"data[{first + n}]", entry) for n, entry in enumerate(entries)]
    return request(urlencode([*pairs, ("hash", sha256((api_id + "".join(entries)).encode()).hexdigest())]).encode())


def test_it_plays_the_role_of_a_receiver() -> None:
    assert isinstance(SOURCE, Receiver)


def test_an_empty_api_id_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="empty"):
        SmsRu(SmsRuSettings("main", ""))


@pytest.mark.parametrize(
    ("api_id", "entries", "proof"),
    [
        (API_ID, [DELIVERED], "457f312eccd7df78d9b9ea87fde75313780da201a6a7e31affea01edca00df50"),
        ("secret-key", ["a", "b"], "8e0b812bd3bc94f07a5603eef4db7ccced6f34ed6ab5e792c16666e9d97fb516"),
    ],
)
def test_a_known_hash_is_a_proof_with_numbers_from_any_start(api_id: str, entries: list[str], proof: str) -> None:
    source = SmsRu(SmsRuSettings("main", api_id))

    for first in (0, 1):
        pairs = [(f"data[{first + n}]", entry) for n, entry in enumerate(entries)]
        for ordered in (pairs, pairs[::-1]):
            source.verify(request(urlencode([("hash", proof), *ordered]).encode()))


def test_entries_are_in_the_order_of_their_numbers_not_of_their_letters() -> None:
    SOURCE.verify(signed(*(f"test\n{n}" for n in range(12))))


@pytest.mark.parametrize(
    "body", [b"", b"x", b"hash=", b"hash=x&data%5B0%5D=test", signed(DELIVERED).body + b"&data%5B0%5D=x",
             signed(DELIVERED).body + b"&hash=x", signed(DELIVERED, api_id="other").body, signed(DELIVERED).body[:-1]]
)  # fmt: skip
def test_what_does_not_fit_is_forged(body: bytes) -> None:
    with pytest.raises(Forged):
        SOURCE.verify(request(body))


def test_a_mutation_of_one_byte_is_refused_or_says_the_same() -> None:
    good, chance = signed(DELIVERED, OTHER), Random(1)

    for _ in range(2000):
        changed = request(mutated(good.body, chance))
        try:
            SOURCE.verify(changed)
        except Forged:
            continue
        # The number of an entry is not hashed: another one that leaves the order as it is changes nothing.
        assert SOURCE.read(changed) == SOURCE.read(good)


def test_only_the_networks_that_are_allowed_may_post() -> None:
    source = SmsRu(SmsRuSettings("main", API_ID, (ip_network("192.0.2.0/24"),)))

    with pytest.raises(Forged, match="allow_from"):
        source.verify(signed(DELIVERED))


@pytest.mark.parametrize("sample", samples("sms_ru"), ids=lambda path: path.stem)
def test_recorded_requests_read_as_expected(sample: Path) -> None:
    one = recorded(sample)

    SOURCE.verify(one)
    arrivals = [said(arrival) for arrival in SOURCE.read(one)]

    wanted = expected(sample)
    assert [{name: got[name] for name in want} for got, want in zip(arrivals, wanted, strict=True)] == wanted
    assert SOURCE.answer(one) == WebhookReply(body=b"100", content_type="text/plain")


@pytest.mark.parametrize(
    ("code", "status"),
    [("-1", "failed"), ("100", "queued"), ("102", "sent"), ("103", "delivered"), ("104", "expired"), ("105", "undelivered"),
     ("108", "rejected"), ("999", "unknown")],
)  # fmt: skip
def test_a_code_says_what_became_of_a_message(code: str, status: str) -> None:
    [arrival] = SOURCE.read(signed(f"sms_status\n1-1\n{code}\n1786346415"))

    assert said(arrival)["status"] == status


def test_reports_in_any_order_end_as_delivered() -> None:
    statuses = [said(arrival)["status"] for arrival in SOURCE.read(signed(DELIVERED, SENT))]

    assert merge_status(statuses, "queued") == "delivered"
    assert merge_status(statuses[::-1], "queued") == "delivered"


@pytest.mark.parametrize("entry", ["", "dance\n1\n2\n3", "sms_status", "sms_status\n\n103", "sms_status\n1"])
def test_an_entry_that_says_nothing_known_is_unreadable(entry: str) -> None:
    with pytest.raises(Unreadable, match="expected"):
        SOURCE.read(signed(DELIVERED, entry))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_anything_hashed_is_read_or_unreadable(entries: list[str]) -> None:
    one = signed(*entries)
    SOURCE.verify(one)
    assert SOURCE.dedup_key(one)

    try:
        SOURCE.read(one)
    except Unreadable as reason:
        assert "expected" in str(reason)  # noqa: PT017 (a reading that succeeds is as good)
