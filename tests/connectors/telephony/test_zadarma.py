"""Zadarma: what is signed in either encoding is read, and all events of a call are one record in any order.

A line of a scenario: `time event name=value …` with short names (`SHORT`). Zadarma's events have no time that could be
used: theirs is that of receipt, minutes and seconds after 09:30.
"""

import base64
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha1
from ipaddress import ip_network
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Forged, Receiver, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.zadarma import Zadarma, ZadarmaSettings
from interactions.arrivals import CallChanged
from interactions.calls import merge
from tests.fakes.webhooks import AT, expected, in_words, mutated, recorded, request, said, samples

SECRET = "6f6ebd6dff4157498150"
ZADARMA = Zadarma(ZadarmaSettings("main", SECRET))
MUTATIONS = 2000
ORDERS = 500
START = {"event": "NOTIFY_START", "caller_id": "442037691880", "called_did": "442037691881", "pbx_call_id": "in_1",
         "call_start": "2026-01-15 10:00:00"}  # fmt: skip
SIGNED = {
    "NOTIFY_ANSWER": ("caller_id", "destination", "call_start"),
    "NOTIFY_OUT_START": ("internal", "destination", "call_start"),
    "NOTIFY_OUT_END": ("internal", "destination", "call_start"),
    "NOTIFY_RECORD": ("pbx_call_id", "call_id_with_rec"),
}


def signed(fields: dict[str, str], *, raw: bool = False) -> WebhookRequest:
    names = SIGNED.get(fields["event"], ("caller_id", "called_did", "call_start"))
    mac = hmac.new(SECRET.encode(), "".join(fields.get(name, "") for name in names).encode(), sha1)
    proof = base64.b64encode(mac.digest() if raw else mac.hexdigest().encode()).decode()
    return request(urlencode(fields).encode(), headers={"signature": proof})


def echo(query: str, body: bytes = b"") -> WebhookRequest:
    return replace(request(body, query=query), method="GET")


def test_it_plays_the_role_of_a_receiver() -> None:
    assert isinstance(ZADARMA, Receiver)


def test_an_empty_secret_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="empty"):
        Zadarma(ZadarmaSettings("main", ""))


@pytest.mark.parametrize(
    ("fields", "proof"),
    [
        (START, "ODY4ZGQ2NjExZGUwMjMxOTYxODI0Njk0ZTc5ZjJlMzFkYzkyZmNhZA=="),  # as its library for PHP
        (START, "ho3WYR3gIxlhgkaU558uMdyS/K0="),  # as its library for TypeScript
        ({"event": "NOTIFY_RECORD", "pbx_call_id": "in_ae6b03b3b0765d127ec0b739209346bbc4f0d52d",
          "call_id_with_rec": "1458313316.343456"}, "NTFkNmI5NGU0MDJkNDc0NmE0NjE3OGNhNzRhZTY2ZDE2Yjg4ZDQxZg=="),
        ({"event": "NOTIFY_RECORD", "pbx_call_id": "in_ae6b03b3b0765d127ec0b739209346bbc4f0d52d",
          "call_id_with_rec": "1458313316.343456"}, "Uda5TkAtR0akYXjKdK5m0WuI1B8="),
    ],
)  # fmt: skip
def test_a_known_signature_is_a_proof_in_both_encodings(fields: dict[str, str], proof: str) -> None:
    ZADARMA.verify(request(urlencode(fields).encode(), headers={"signature": proof}))


@pytest.mark.parametrize("change", [{"caller_id": "1"}, {"call_start": ""}, {"event": "NOTIFY_SMS"}, {"event": ""}])
def test_what_does_not_fit_its_signature_is_forged(change: dict[str, str]) -> None:
    good = signed(START)

    with pytest.raises(Forged):
        ZADARMA.verify(replace(good, body=urlencode({**START, **change}).encode()))
    with pytest.raises(Forged):
        ZADARMA.verify(replace(good, headers={}))
    with pytest.raises(Forged):
        ZADARMA.verify(replace(good, body=good.body + b"&caller_id=442037691880"))


def test_an_event_without_any_signed_field_is_forged() -> None:
    with pytest.raises(Forged):
        ZADARMA.verify(signed({"event": "NOTIFY_START"}))


def test_no_mutation_of_what_is_signed_is_accepted() -> None:
    only_signed = {name: START[name] for name in ("event", "caller_id", "called_did", "call_start")}
    good, chance = signed(only_signed), Random(1)
    ZADARMA.verify(good)

    accepted = []
    for turn in range(MUTATIONS):
        header = mutated(good.headers["signature"].encode(), chance).decode("latin-1")
        changed = (
            replace(good, body=mutated(good.body, chance)) if turn % 4 else replace(good, headers={"signature": header})
        )
        try:
            ZADARMA.verify(changed)
        except Forged:
            continue
        accepted.append(changed)

    assert accepted == []


def test_only_the_networks_that_are_allowed_may_post() -> None:
    source = Zadarma(ZadarmaSettings("main", SECRET, (ip_network("192.0.2.0/24"),)))

    source.verify(replace(signed(START), remote="192.0.2.7"))
    with pytest.raises(Forged, match="allow_from"):
        source.verify(signed(START))


def test_the_cabinet_hears_its_own_value_and_says_nothing() -> None:
    one = echo("zd_echo=a1B2-c3")

    ZADARMA.verify(one)
    assert ZADARMA.answer(one) == WebhookReply(body=b"a1B2-c3", content_type="text/plain")
    assert ZADARMA.read(one) == []
    assert ZADARMA.dedup_key(one) == ZADARMA.dedup_key(echo("zd_echo=other"))


@pytest.mark.parametrize("query", ["zd_echo=<b>", "zd_echo=", "zd_echo=a&b=1", "zd_echo=" + "a" * 65, "a=zd_echo=", ""])
def test_nothing_else_is_echoed(query: str) -> None:
    with pytest.raises(Forged):
        ZADARMA.verify(echo(query))
    assert ZADARMA.answer(echo(query)) == WebhookReply()


def test_an_echo_with_a_body_is_no_echo() -> None:
    with pytest.raises(Forged):
        ZADARMA.verify(echo("zd_echo=a", b"event=NOTIFY_START"))


@pytest.mark.parametrize("sample", samples("zadarma"), ids=lambda path: path.stem)
def test_recorded_requests_read_as_expected(sample: Path) -> None:
    one = recorded(sample)

    ZADARMA.verify(one)
    arrivals = [said(arrival) for arrival in ZADARMA.read(one)]

    wanted = expected(sample)
    assert [{name: got[name] for name in want} for got, want in zip(arrivals, wanted, strict=True)] == wanted
    assert ZADARMA.answer(one) == WebhookReply()


def test_an_event_without_its_call_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="pbx_call_id"):
        ZADARMA.read(signed({**START, "pbx_call_id": ""}))


@given(st.sampled_from(sorted({"NOTIFY_START", "NOTIFY_END", "NOTIFY_INTERNAL", *SIGNED})),
       st.dictionaries(st.sampled_from(["caller_id", "internal", "duration", "disposition", "destination"]),
                       st.text(st.characters(exclude_categories=["Cs"]))))  # fmt: skip
def test_anything_signed_is_read(event: str, fields: dict[str, str]) -> None:
    one = signed({"pbx_call_id": "in_1", **fields, "event": event})
    assert ZADARMA.dedup_key(one)

    assert json.dumps([said(arrival) for arrival in ZADARMA.read(one)])


# ---- scenarios

SHORT = {"from": "caller_id", "did": "called_did", "int": "internal", "to": "destination", "dur": "duration",
         "disp": "disposition", "rec": "call_id_with_rec", "last": "last_internal"}  # fmt: skip
IN = "from=442037691880 did=442037691881"
SCENARIOS = {
    "answered by one of two": (
        f"""
        00:00 NOTIFY_START    {IN}
        00:01 NOTIFY_IVR      {IN}
        00:05 NOTIFY_INTERNAL {IN} int=100
        00:05 NOTIFY_INTERNAL {IN} int=101
        00:12 NOTIFY_ANSWER   from=442037691880 to=101 int=101
        01:12 NOTIFY_END      {IN} disp=answered dur=60 last=101
        01:20 NOTIFY_RECORD   rec=1458313316.343456
        """,
        "incoming 442037691880 answered by 101, rings 12, talks 60, recorded 1458313316.343456",
    ),
    "only a menu answered": (
        f"00:00 NOTIFY_START {IN}\n00:01 NOTIFY_IVR {IN}\n00:30 NOTIFY_END {IN} disp=answered dur=29",
        "incoming 442037691880 missed (unknown), rings 30, talks 0",
    ),
    "missed": (
        f"00:00 NOTIFY_START {IN}\n00:01 NOTIFY_INTERNAL {IN} int=100\n00:20 NOTIFY_END {IN} int=100 disp=cancel dur=0",
        "incoming 442037691880 missed (caller_hung_up), rings 20, talks 0",
    ),
    "busy": (
        f"00:00 NOTIFY_START {IN}\n00:02 NOTIFY_END {IN} disp=busy dur=0",
        "incoming 442037691880 busy, rings 2, talks 0",
    ),
    "transferred": (
        f"""
        00:00 NOTIFY_START    {IN}
        00:05 NOTIFY_ANSWER   from=442037691880 to=100 int=100
        01:00 NOTIFY_INTERNAL {IN} int=101
        01:04 NOTIFY_ANSWER   from=442037691880 to=101 int=101
        02:05 NOTIFY_END      {IN} disp=answered dur=120 last=101
        """,
        "incoming 442037691880 answered by 101, rings 5, talks 120, 100→101",
    ),
    "outgoing": (
        """
        00:00 NOTIFY_OUT_START int=100 to=442037691880
        00:39 NOTIFY_OUT_END   int=100 to=442037691880 from=442037691881 disp=answered dur=30
        """,
        "outgoing 442037691880 answered by 100, rings 9, talks 30",
    ),
    "a click to call that the customer does not take": (
        "00:00 NOTIFY_OUT_START int=100 to=442037691880\n00:25 NOTIFY_OUT_END int=100 to=442037691880 disp=no+answer dur=0",
        "outgoing 442037691880 no_answer, rings 25, talks 0",
    ),
    "out of credit": (
        "00:00 NOTIFY_OUT_START int=100 to=442037691880\n00:01 NOTIFY_OUT_END int=100 to=442037691880 disp=no+money dur=0",
        "outgoing 442037691880 failed, rings 1, talks 0",
    ),
}  # fmt: skip


def events_of(table: str) -> list[CallChanged]:
    found: list[CallChanged] = []
    for line in table.strip().splitlines():
        moment, event, *words = line.split()
        minutes, seconds = map(int, moment.split(":"))
        fields = {"event": event, "pbx_call_id": "in_1", "call_start": "2026-11-23 12:30:00"}
        fields |= {SHORT[name]: value.replace("+", " ") for name, value in (word.split("=", 1) for word in words)}
        one = replace(
            signed(fields, raw=event == "NOTIFY_IVR"), received_at=AT + timedelta(minutes=minutes, seconds=seconds)
        )
        ZADARMA.verify(one)
        found += [arrival for arrival in ZADARMA.read(one) if isinstance(arrival, CallChanged)]
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
