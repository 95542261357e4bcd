"""Mango Office: what is signed is read, and the legs and the summary of a call are one record in any order.

A line of a scenario: `time path name=value …`; a dotted name is an object's field. Times are minutes and seconds after
09:30; `time` is the event's own, `create`, `talk` and `end` those of a summary.
"""

import contextlib
import json
from collections.abc import Mapping
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Forged, Receiver, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.mango import Mango, MangoSettings
from interactions.arrivals import CallChanged
from interactions.calls import merge
from tests.fakes.webhooks import AT, expected, form, in_words, mutated, recorded, request, said, samples

KEY, SALT = "mc0ffee5afe", "saltandpepper"
MANGO = Mango(MangoSettings("main", KEY, SALT))
MUTATIONS = 2000
ORDERS = 500


def signed(event: Mapping[str, Any], rest: str = "events/call") -> WebhookRequest:
    text = json.dumps(event, ensure_ascii=False)
    sign = sha256(f"{KEY}{text}{SALT}".encode()).hexdigest()
    return form({"vpbx_api_key": KEY, "sign": sign, "json": text}, rest)


LEG = {"entry_id": "E1", "call_id": "L1", "timestamp": 1795426200, "seq": 1, "call_state": "Appeared",
       "location": "abonent", "from": {"number": "79161234567"}, "to": {"extension": "101", "line_number": "74951234567"}}  # fmt: skip


def leg(**more: object) -> dict[str, object]:
    return {**LEG, **more}


# ---- proof


def test_it_plays_the_role_of_a_receiver() -> None:
    assert isinstance(MANGO, Receiver)
    assert "https://x.example/hooks/main" in MANGO.instruct("https://x.example/hooks/main")


def test_an_event_of_the_manual_is_proved_by_its_known_signature() -> None:
    text = (
        '{"entry_id":"232wc3e3w3s222","call_id":"100:500:256","timestamp":1399906976,"seq'
        '":1,"call_state":"Appeared","location":"abonent","from":{"number":"79000000000"},"to":{"ex'
        'tension":"123","number":"sip:aaa@mangosip.ru","line_number":"7800123456789"}}'
    )
    source = Mango(MangoSettings("main", "5f4dcc3b5aa765d61d8327deb882cf99", "mangosalt"))
    proof = "1c48bbf258d2788a1da018981706ecb2e112f3d214545c37b4cbe8338dea753b"
    one = form({"vpbx_api_key": "5f4dcc3b5aa765d61d8327deb882cf99", "sign": proof, "json": text})

    source.verify(one)
    [arrival] = source.read(one)

    assert (said(arrival)["event"], said(arrival)["users"]) == ("ringing", ["123"])


@pytest.mark.parametrize(("key", "salt"), [("", SALT), (KEY, ""), ("", "")])
def test_an_empty_key_or_salt_is_refused_at_once(key: str, salt: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        Mango(MangoSettings("main", key, salt))


@pytest.mark.parametrize(
    "change",
    [
        {"sign": ""},
        {"sign": "0" * 64},
        {"vpbx_api_key": "other"},
        {"json": "{}"},
        {"more": "1"},
    ],
)
def test_what_does_not_fit_is_forged(change: dict[str, str]) -> None:
    text = json.dumps(LEG)
    fields = {"vpbx_api_key": KEY, "sign": sha256(f"{KEY}{text}{SALT}".encode()).hexdigest(), "json": text}
    MANGO.verify(form(fields))

    with pytest.raises(Forged):
        MANGO.verify(form({**fields, **change}))
    for name in fields:
        with pytest.raises(Forged):
            MANGO.verify(form({one: value for one, value in fields.items() if one != name}))


def test_a_signature_made_with_another_key_is_forged_though_it_fits_its_own() -> None:
    text = json.dumps(LEG)

    with pytest.raises(Forged):
        MANGO.verify(form({"vpbx_api_key": "x", "sign": sha256(f"x{text}{SALT}".encode()).hexdigest(), "json": text}))


@pytest.mark.parametrize("body", [b"", b"{}", b"json", b"\xff=1", b"a=%", b"a=1&" * 30, b"x=" + b"1" * 300_000])
def test_what_is_no_form_is_forged(body: bytes) -> None:
    with pytest.raises(Forged):
        MANGO.verify(request(body))


def test_a_doubled_field_is_forged() -> None:
    good = signed(LEG).body

    with pytest.raises(Forged):
        MANGO.verify(request(good + b"&json=%7B%7D"))


def test_lower_case_escapes_are_as_good_and_mixed_ones_are_not() -> None:
    good = signed(LEG).body
    lower = b"%".join(part if n == 0 else part[:2].lower() + part[2:] for n, part in enumerate(good.split(b"%")))

    MANGO.verify(request(lower))
    with pytest.raises(Forged):
        MANGO.verify(request(good.replace(b"%7B", b"%7b", 1)))


def test_no_mutation_of_one_byte_is_accepted() -> None:
    good, chance = signed(leg(words="Привет, мир")).body, Random(1)
    MANGO.verify(request(good))

    accepted = []
    for _ in range(MUTATIONS):
        changed = mutated(good, chance)
        try:
            MANGO.verify(request(changed))
        except Forged:
            continue
        accepted.append(changed)

    assert accepted == []


def test_only_the_networks_that_are_allowed_may_post() -> None:
    source = Mango(MangoSettings("main", KEY, SALT, (ip_network("192.0.2.0/24"),)))
    good = signed(LEG)

    source.verify(request(good.body, remote="192.0.2.7"))
    for remote in ("198.51.100.1", ""):
        with pytest.raises(Forged, match="allow_from"):
            source.verify(request(good.body, remote=remote))


# ---- reading


@pytest.mark.parametrize("sample", samples("mango"), ids=lambda path: path.stem)
def test_recorded_requests_read_as_expected(sample: Path) -> None:
    one = recorded(sample)

    MANGO.verify(one)
    arrivals = [said(arrival) for arrival in MANGO.read(one)]

    wanted = expected(sample)
    assert [{name: got[name] for name in want} for got, want in zip(arrivals, wanted, strict=True)] == wanted
    assert all(got["source"] == "main" and got["received_at"] == AT.isoformat() for got in arrivals)
    assert MANGO.answer(one) == WebhookReply()
    assert MANGO.masked_rest(one) == one.rest


def test_the_path_decides_nothing_because_it_is_not_signed() -> None:
    assert MANGO.read(signed(LEG, "events/summary")) == MANGO.read(signed(LEG, ""))


@pytest.mark.parametrize(
    "event", [{"a": 1}, leg(entry_id=""), leg(call_id=None), leg(call_state="Sleeping"), {"entry_id": "E", "reason": 1}]
)
def test_what_says_nothing_known_is_unreadable(event: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="expected"):
        MANGO.read(signed(event))


def test_a_signed_text_that_is_no_json_is_unreadable_and_has_its_key() -> None:
    fields = {"vpbx_api_key": KEY, "sign": sha256(f"{KEY}nonsense{SALT}".encode()).hexdigest(), "json": "nonsense"}
    one = form(fields, "events/call")

    MANGO.verify(one)
    assert MANGO.dedup_key(one).startswith("json:")
    with pytest.raises(Unreadable):
        MANGO.read(one)


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("1110", "cancel"), ("1111", "noAnswer"), ("1120", "normalClearing"), ("1121", "busy"), ("1122", "rejected"),
        ("1131", "congestion"), ("1139", "congestion"), ("1151", "blocked"), ("1160", "noAnswer"), ("1100", ""),
        ("1170", ""), ("1181", ""), ("2001", "failed"), ("4201", "congestion"), ("5001", "failed"), ("", ""),
        ("9999", ""),
    ],
)  # fmt: skip
def test_a_code_is_read_by_its_class(code: str, cause: str) -> None:
    [arrival] = MANGO.read(signed(leg(call_state="Disconnected", disconnect_reason=code)))

    assert isinstance(arrival, CallChanged)
    assert (arrival.event, arrival.cause) == ("left", cause)


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (1000, "delivered"),
        (4301, "expired"),
        (4391, "undelivered"),
        (4392, "rejected"),
        (4300, "failed"),
        (2100, "failed"),
    ],
)
def test_what_became_of_an_sms_is_read_by_its_reason(reason: int, status: str) -> None:
    [arrival] = MANGO.read(signed({"command_id": "s1", "reason": reason, "timestamp": 1795426200}, "events/sms"))

    assert said(arrival)["status"] == status


def test_the_journal_knows_an_event_by_what_mango_counts_by() -> None:
    same = [leg(seq="1"), leg(seq=1, timestamp=1)]
    other = [leg(seq=2), leg(call_id="L2"), {"entry_id": "E1", "call_direction": 1}, leg(seq=None)]

    assert len({MANGO.dedup_key(signed(one)) for one in same}) == 1
    assert len({MANGO.dedup_key(signed(one)) for one in [LEG, *other]}) == 5


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(
    st.sampled_from(["entry_id", "call_id", "call_state", "seq", "from", "to", "number", "extension", "talk_time",
                     "timestamp", "call_direction", "recording_id", "recording_state", "command_id", "reason"]), inner),
    max_leaves=20))  # fmt: skip
def test_anything_signed_is_read_or_unreadable(event: Any) -> None:
    one = signed(event)
    assert MANGO.dedup_key(one)

    with contextlib.suppress(Unreadable):
        assert all(said(arrival) for arrival in MANGO.read(one))


# ---- scenarios

CLIENT, LINE = "79161234567", "74951234567"
INCOMING = f"from.number={CLIENT} to.line_number={LINE}"
BEGINS = f"entry_id=E1 call_direction=1 from.number={CLIENT} line_number={LINE}"
SCENARIOS = {
    "answered after a menu": (
        f"""
        00:00 call call_id=1 seq=1 call_state=Appeared     location=ivr {INCOMING} to.number={LINE}
        00:01 call call_id=1 seq=2 call_state=Connected    location=ivr {INCOMING} to.number={LINE}
        00:12 call call_id=1 seq=3 call_state=Disconnected location=ivr {INCOMING} disconnect_reason=1100
        00:12 call call_id=2 seq=1 call_state=Appeared     location=abonent {INCOMING} to.extension=101
        00:12 call call_id=3 seq=1 call_state=Appeared     location=abonent {INCOMING} to.extension=102
        00:19 call call_id=2 seq=2 call_state=Connected    location=abonent {INCOMING} to.extension=101
        00:19 call call_id=3 seq=2 call_state=Disconnected location=abonent {INCOMING} to.extension=102 disconnect_reason=1182
        01:19 call call_id=2 seq=3 call_state=Disconnected location=abonent {INCOMING} to.extension=101 disconnect_reason=1110
        01:19 summary {BEGINS} create=00:00 talk=00:19 end=01:19 to.extension=101 entry_result=1 disconnect_reason=1110
        01:21 recording recording_id=R1 seq=2 recording_state=Completed call_id=2
        """,
        "incoming 79161234567 answered by 101, rings 19, talks 60, recorded R1",
    ),
    "missed, though the summary says a result of 1": (
        f"""
        00:00 call call_id=1 seq=1 call_state=Appeared     location=abonent {INCOMING} to.extension=101
        00:30 call call_id=1 seq=2 call_state=Disconnected location=abonent {INCOMING} to.extension=101 disconnect_reason=1110
        00:30 summary {BEGINS} create=00:00 talk=- end=00:30 entry_result=1 disconnect_reason=1110
        """,
        "incoming 79161234567 missed (caller_hung_up), rings 30, talks 0",
    ),
    "busy": (
        f"""
        00:00 call call_id=1 seq=1 call_state=Appeared     location=abonent {INCOMING} to.extension=101
        00:01 call call_id=1 seq=2 call_state=Disconnected location=abonent {INCOMING} to.extension=101 disconnect_reason=1121
        00:01 summary {BEGINS} create=00:00 talk=0 end=00:01 entry_result=0 disconnect_reason=1121
        """,
        "incoming 79161234567 busy, rings 1, talks 0",
    ),
    "transferred": (
        f"""
        00:00 call call_id=1 seq=1 call_state=Appeared     location=abonent {INCOMING} to.extension=101
        00:05 call call_id=1 seq=2 call_state=Connected    location=abonent {INCOMING} to.extension=101
        00:55 call call_id=1 seq=3 call_state=OnHold       location=abonent {INCOMING} to.extension=101
        01:00 call call_id=2 seq=1 call_state=Appeared     location=abonent {INCOMING} to.extension=102 from.taken_from_call_id=1
        01:04 call call_id=2 seq=2 call_state=Connected    location=abonent {INCOMING} to.extension=102 from.taken_from_call_id=1
        01:04 call call_id=1 seq=4 call_state=Disconnected location=abonent {INCOMING} to.extension=101 disconnect_reason=1180
        02:05 call call_id=2 seq=3 call_state=Disconnected location=abonent {INCOMING} to.extension=102 disconnect_reason=1120
        02:05 summary {BEGINS} create=00:00 talk=00:05 end=02:05 to.extension=101 entry_result=1 disconnect_reason=1120
        """,
        "incoming 79161234567 answered by 102, rings 5, talks 120, 101→102",
    ),
    "a menu that records what the caller says: Mango does not call it a voice mail": (
        f"""
        00:00 call call_id=1 seq=1 call_state=Connected    location=ivr {INCOMING}
        00:40 call call_id=1 seq=2 call_state=Disconnected location=ivr {INCOMING} disconnect_reason=1110
        00:40 summary {BEGINS} create=00:00 talk=0 end=00:40 entry_result=0 disconnect_reason=1110
        00:45 recording recording_id=R2 seq=1 recording_state=Completed call_id=1
        """,
        "incoming 79161234567 missed (caller_hung_up), rings 40, talks 0, recorded R2",
    ),
    "outgoing": (
        f"""
        00:00 call call_id=1 seq=1 call_state=Appeared     location=abonent from.extension=102 to.number={CLIENT} to.line_number={LINE}
        00:09 call call_id=1 seq=2 call_state=Connected    location=abonent from.extension=102 to.number={CLIENT} to.line_number={LINE}
        01:09 call call_id=1 seq=3 call_state=Disconnected location=abonent from.extension=102 to.number={CLIENT} disconnect_reason=1120
        01:09 summary entry_id=E1 call_direction=2 from.extension=102 to.number={CLIENT} line_number={LINE} create=00:00 talk=00:09 end=01:09 entry_result=1 disconnect_reason=1120
        """,
        "outgoing 79161234567 answered by 102, rings 9, talks 60",
    ),
    "click to call, and the customer does not answer": (
        f"""
        00:00 call call_id=1 seq=1 call_state=Appeared     location=abonent {INCOMING} to.extension=102 command_id=c7
        00:03 call call_id=1 seq=2 call_state=Connected    location=abonent {INCOMING} to.extension=102 command_id=c7
        00:03 call call_id=1 seq=3 call_state=Disconnected location=abonent {INCOMING} to.extension=102 command_id=c7
        00:03 call call_id=2 seq=1 call_state=Appeared     location=abonent from.extension=102 to.number={CLIENT} to.line_number={LINE} command_id=c7
        00:33 call call_id=2 seq=2 call_state=Disconnected location=abonent from.extension=102 to.number={CLIENT} command_id=c7 disconnect_reason=1111
        00:33 summary entry_id=E1 call_direction=2 from.extension=102 to.number={CLIENT} line_number={LINE} create=00:00 talk=0 end=00:33 entry_result=0 disconnect_reason=1111
        """,
        "outgoing 79161234567 no_answer, rings 33, talks 0",
    ),
    "click to call, answered, with a summary told backwards": (
        f"""
        00:00 call call_id=1 seq=1 call_state=Appeared     location=abonent {INCOMING} to.extension=102 command_id=c7
        00:03 call call_id=1 seq=2 call_state=Connected    location=abonent {INCOMING} to.extension=102 command_id=c7
        00:03 call call_id=2 seq=1 call_state=Appeared     location=abonent from.extension=102 to.number={CLIENT} to.line_number={LINE} command_id=c7
        00:10 call call_id=2 seq=2 call_state=Connected    location=abonent from.extension=102 to.number={CLIENT} to.line_number={LINE} command_id=c7
        00:40 summary entry_id=E1 call_direction=2 to.extension=102 from.number={CLIENT} line_number={LINE} create=00:00 talk=00:10 end=00:40 entry_result=1 disconnect_reason=1120
        """,
        "outgoing 79161234567 answered by 102, rings 10, talks 30",
    ),
    "among ourselves": (
        """
        00:00 call call_id=1 seq=1 call_state=Appeared  location=abonent from.extension=101 to.extension=102
        00:05 call call_id=1 seq=2 call_state=Connected location=abonent from.extension=101 to.extension=102
        00:30 summary entry_id=E1 call_direction=0 from.extension=101 to.extension=102 create=00:00 talk=00:05 end=00:30 entry_result=1
        """,
        "internal 101 answered by 102, rings 5, talks 25",
    ),
    "no summary came": (
        f"""
        00:00 call call_id=1 seq=1 call_state=Appeared     location=abonent {INCOMING} to.extension=101
        00:30 call call_id=1 seq=2 call_state=Disconnected location=abonent {INCOMING} to.extension=101 disconnect_reason=1110
        """,
        "incoming 79161234567 ringing",
    ),
}  # fmt: skip


def seconds(text: str) -> int:
    minutes, rest = text.split(":")
    return int(AT.timestamp()) + 60 * int(minutes) + int(rest)


def events_of(table: str) -> list[CallChanged]:
    found: list[CallChanged] = []
    for line in table.strip().splitlines():
        moment, path, *words = line.split()
        event: dict[str, Any] = {"entry_id": "E1"}
        if path != "summary":
            event["timestamp"] = seconds(moment)
        for name, value in (word.split("=", 1) for word in words):
            outer, _, inner = name.partition(".")
            if inner:
                event.setdefault(outer, {})[inner] = value
            elif name in ("create", "talk", "end"):
                event[f"{name}_time"] = seconds(value) if ":" in value else 0
            else:
                event[name] = value
        one = signed(event, f"events/{path}")
        MANGO.verify(one)
        found += [arrival for arrival in MANGO.read(one) if isinstance(arrival, CallChanged)]
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
