"""Plivo: what is signed for our address is read, and all that is told of a call is one record in any order.

A line of a scenario: `time name=value …` with short names (`SHORT`); events have the time of receipt, minutes and seconds
after 09:30.
"""

import base64
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Forged, Receiver, Unreadable, WebhookRequest
from connectors.telephony.plivo import Plivo, PlivoSettings
from interactions.arrivals import CallChanged, SmsArrived
from interactions.calls import merge
from tests.fakes.webhooks import AT, expected, in_words, mutated, recorded, request, said, samples

TOKEN, NONCE = "hush-hush-hush", "31627761595286130198"
ADDRESS = "https://crm.example.org/hooks/main"
PLIVO = Plivo(PlivoSettings("main", TOKEN, ADDRESS, frozenset({"+14155550101"})))
ORDERS = 500
CALL = {"CallUUID": "c1", "CallStatus": "ringing", "Direction": "inbound", "From": "19792014278", "To": "18005551212",
        "Event": "StartApp", "CallerName": "Ann & Bob"}  # fmt: skip
# A request of the tests of the provider's own library.
PUBLISHED_TOKEN = "Y2Q2ZDgxZmY5YWRiOTI5YmQ1Njg0MTAxZWIyOTc4"
PUBLISHED_ADDRESS = "https://plivobin.non-prod.plivops.com/api/v1/validate_signature03.xml"
USER = "PlivoSignature382029104058171078704104"
LEG = "3e82ae9d-2c78-4d85-b1a4-6eae7dbafb36"
PUBLISHED = {
    "Direction": "outbound", "From": "19792014278", "ALegUUID": LEG, "CallStatus": "in-progress", "BillRate": "0.002",
    "ParentAuthID": "MANWVLYTK4ZWU1YTY4QA", "To": f"sip:{USER}@phone-qa.voice.plivodev.com", "ALegRequestUUID": LEG,
    "CallUUID": LEG, "RequestUUID": LEG, "SIP-H-To": f"<sip:{USER}@52.9.11.55;transport=udp>;tag=1",
    "SessionStart": "2020-04-08 11:34:33.238707", "Event": "StartApp",
}  # fmt: skip


def signed(fields: dict[str, str]) -> WebhookRequest:
    text = ADDRESS + "?" + "".join(name + fields[name] for name in sorted(fields)) + "." + NONCE
    proof = base64.b64encode(hmac.new(TOKEN.encode(), text.encode(), sha256).digest()).decode()
    headers = {"x-plivo-signature-v3": f"older,{proof}", "x-plivo-signature-v3-nonce": NONCE}
    return request(urlencode(fields).encode(), headers=headers)


def test_it_plays_the_role_of_a_receiver() -> None:
    assert isinstance(PLIVO, Receiver)
    assert "not as answer URL" in PLIVO.instruct(ADDRESS)


def test_an_empty_token_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="empty"):
        Plivo(PlivoSettings("main", "", ADDRESS))


@pytest.mark.parametrize(
    ("method", "slash", "query", "proof"),
    [
        ("POST", "/", "a=b&c=d", "k7Pusd4OxCIjR5IfA9iedDNu/h/gbdYqdzG/MiYtd1c="),
        ("GET", "/", "a=b&c=d", "UBq8jAtd32wR8EK9VgxbBn4n5rpI/l1H9iN4WfSEHFQ="),
        ("POST", "", "", "iAjE5QqI37mbkYe4w3jTMudqEzbDufdqi7sYwTu64e0="),
        ("GET", "", "", "i/MQsaQSAd6fiKhOh2qeeeLHZ9faldADSb3/7+Akfbc="),
    ],
)
def test_a_published_signature_is_a_proof(method: str, slash: str, query: str, proof: str) -> None:
    source = Plivo(PlivoSettings("main", PUBLISHED_TOKEN, PUBLISHED_ADDRESS + slash))
    headers = {"x-plivo-signature-v3": proof, "x-plivo-signature-v3-nonce": NONCE}
    form = urlencode(PUBLISHED)
    asked = "&".join(filter(None, [query, form if method == "GET" else ""]))
    one = replace(request(form.encode() if method == "POST" else b"", headers=headers, query=asked), method=method)

    source.verify(one)
    for other in (replace(one, query=asked + "&x=1"), replace(one, rest="x"), replace(one, headers={})):
        with pytest.raises(Forged):
            source.verify(other)


def test_no_mutation_of_one_byte_is_accepted() -> None:
    good, chance = signed({**CALL, "Text": "Привет, мир"}), Random(1)
    PLIVO.verify(good)

    accepted = []
    for turn in range(2000):
        nonce = mutated(NONCE.encode(), chance).decode("latin-1")
        headers = {**good.headers, "x-plivo-signature-v3-nonce": nonce}
        changed = replace(good, body=mutated(good.body, chance)) if turn % 4 else replace(good, headers=headers)
        try:
            PLIVO.verify(changed)
        except Forged:
            continue
        accepted.append(changed)

    assert accepted == []


def test_only_the_networks_that_are_allowed_may_post() -> None:
    source = Plivo(PlivoSettings("main", TOKEN, ADDRESS, allow_from=(ip_network("192.0.2.0/24"),)))

    source.verify(replace(signed(CALL), remote="192.0.2.7"))
    with pytest.raises(Forged, match="allow_from"):
        source.verify(signed(CALL))


@pytest.mark.parametrize("sample", samples("plivo"), ids=lambda path: path.stem)
def test_recorded_requests_read_as_expected(sample: Path) -> None:
    one = recorded(sample)

    PLIVO.verify(one)
    arrivals = [said(arrival) for arrival in PLIVO.read(one)]

    wanted = expected(sample)
    assert [{name: got[name] for name in want} for got, want in zip(arrivals, wanted, strict=True)] == wanted
    assert b"<Response/>" in PLIVO.answer(one).body


@pytest.mark.parametrize("fields", [{}, {"CallUUID": "c1"}, {**CALL, "CallStatus": "asleep"}, {"MessageUUID": "m1"}])
def test_what_says_nothing_known_is_unreadable(fields: dict[str, str]) -> None:
    with pytest.raises(Unreadable, match="expected"):
        PLIVO.read(signed(fields))


def test_a_message_is_read_with_its_text() -> None:
    [arrival] = PLIVO.read(signed({"MessageUUID": "m1", "From": "19792014278", "To": "18005551212", "Text": "Привет"}))

    assert isinstance(arrival, SmsArrived)
    assert (arrival.sms_key, arrival.text) == ("m1", "Привет")


@given(st.dictionaries(st.sampled_from(["CallUUID", "CallStatus", "Direction", "To", "DialAction", "DialBLegTo", "MessageUUID",
                                        "Text", "Status", "RecordUrl"]), st.text()))  # fmt: skip
def test_anything_signed_is_read_or_unreadable(fields: dict[str, str]) -> None:
    one = request(urlencode(fields, errors="replace").encode())
    assert PLIVO.dedup_key(one)

    try:
        arrivals = PLIVO.read(one)
    except Unreadable:
        return
    assert json.dumps([said(arrival) for arrival in arrivals])


# ---- scenarios

SHORT = {"status": "CallStatus", "dir": "Direction", "from": "From", "to": "To", "dial": "DialAction", "leg": "DialBLegUUID",
         "who": "DialBLegTo", "rec": "RecordUrl"}  # fmt: skip
IN = "dir=inbound from=19792014278 to=18005551212"
OUT = "dir=outbound from=18005551212"
SCENARIOS = {
    "answered": (
        f"""
        00:00 {IN} status=ringing
        00:01 {IN} status=in-progress
        00:08 dial=answer leg=b1 who=sip:anna@phone.plivo.com
        01:08 dial=hangup leg=b1 who=sip:anna@phone.plivo.com
        01:08 {IN} status=completed
        01:10 rec=https://media.plivo.com/1.mp3
        """,
        "incoming 19792014278 answered by sip:anna@phone.plivo.com, rings 8, talks 60, recorded https://media.plivo.com/1.mp3",
    ),
    "missed: only XML picked up": (
        f"00:00 {IN} status=ringing\n00:01 {IN} status=in-progress\n00:20 {IN} status=completed",
        "incoming 19792014278 missed (unknown), rings 20, talks 0",
    ),
    "busy": (f"00:00 {OUT} to=19792014278 status=ringing\n00:03 {OUT} to=19792014278 status=busy",
             "outgoing 19792014278 busy, rings 3, talks 0"),
    "handed on": (
        f"""
        00:00 {IN} status=ringing
        00:08 dial=answer leg=b1 who=sip:anna@x
        01:00 dial=answer leg=b2 who=sip:boris@x
        02:08 {IN} status=completed
        """,
        "incoming 19792014278 answered by sip:boris@x, rings 8, talks 120, sip:anna@x→sip:boris@x",
    ),
    "outgoing": (
        f"""
        00:00 {OUT} to=19792014278 status=ringing
        00:09 {OUT} to=19792014278 status=in-progress
        00:39 {OUT} to=19792014278 status=completed
        """,
        "outgoing 19792014278 answered, rings 9, talks 30",
    ),
    "click to call": (
        f"""
        00:00 {OUT} to=14155550101 status=ringing
        00:03 {OUT} to=14155550101 status=in-progress
        00:10 dial=answer leg=b1 who=19792014278
        00:40 {OUT} to=14155550101 status=completed
        """,
        "outgoing 19792014278 answered by 14155550101, rings 10, talks 30",
    ),
}  # fmt: skip


def events_of(table: str) -> list[CallChanged]:
    found: list[CallChanged] = []
    for line in table.strip().splitlines():
        moment, *words = line.split()
        minutes, seconds = map(int, moment.split(":"))
        fields = {"CallUUID": "c1", **{SHORT[name]: value for name, value in (word.split("=", 1) for word in words)}}
        one = replace(signed(fields), received_at=AT + timedelta(minutes=minutes, seconds=seconds))
        PLIVO.verify(one)
        found += [arrival for arrival in PLIVO.read(one) if isinstance(arrival, CallChanged)]
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_one_call_in_any_order_with_repeats(name: str) -> None:
    table, wanted = SCENARIOS[name]
    events, chance = events_of(table), Random(name)
    whole = merge(events)

    assert in_words(whole) == wanted
    for _ in range(ORDERS):
        some = [one for one in events for _ in range(chance.randint(1, 3))]
        chance.shuffle(some)
        assert merge(some) == whole
