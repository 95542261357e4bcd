"""The generic source: only what proves itself is read, and what is read is an arrival or a reason."""

import dataclasses
import json
import random
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Forged, Receiver, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.fields import read_time
from connectors.telephony.generic import SMS_CHARS_MAX, USERS_MAX, Generic, GenericSettings
from connectors.telephony.signatures import sign_standard
from interactions.arrivals import CallChanged, SmsArrived, SmsStatusChanged
from interactions.calls import merge
from interactions.records import Direction

SAMPLES = sorted((Path(__file__).parents[2] / "data/webhooks/generic").glob("*.http"))
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PLAIN = "hush-hush-hush-hush"
AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
CALL = {
    "event": "newCall",
    "callId": "c1",
    "direction": "in",
    "from": "84956329816",
    "to": "+74951234567",
    "user": ["101"],
}


def request(
    body: bytes, headers: dict[str, str] | None = None, rest: str = "", at: datetime = AT, remote: str = ""
) -> WebhookRequest:
    return WebhookRequest("main", "POST", rest, "", headers or {}, body, at, remote)


def posted(payload: object, at: datetime = AT) -> WebhookRequest:
    return request(json.dumps(payload).encode(), at=at)


def signed(payload: object, message_id: str = "msg_1", at: datetime = AT) -> WebhookRequest:
    body = json.dumps(payload).encode()
    return request(body, sign_standard(SECRET, message_id, at, body), at=at)


def mapped(**field_map: str) -> Generic:
    return Generic(
        GenericSettings("main", (SECRET,), field_map={k.replace("__", "."): v for k, v in field_map.items()})
    )


def read_call(payload: object, source: Generic | None = None) -> CallChanged:
    [arrival] = (source or GENERIC).read(posted(payload))
    assert isinstance(arrival, CallChanged)
    return arrival


GENERIC = Generic(GenericSettings("main", (SECRET,)))
OPEN = Generic(GenericSettings("main", (PLAIN,), allow_unsigned=True))


def test_it_plays_the_role_of_a_receiver() -> None:
    assert isinstance(GENERIC, Receiver)


def test_a_signed_request_proves_itself() -> None:
    GENERIC.verify(signed(CALL))


@pytest.mark.parametrize("secrets", [("",), (SECRET, " "), ("whsec_",)])
def test_an_empty_secret_is_refused_at_once(secrets: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="webhook secret"):
        Generic(GenericSettings("main", secrets))


def test_no_secret_means_refuse() -> None:
    for unsigned in (False, True):
        source = Generic(GenericSettings("main", (), allow_unsigned=unsigned))
        for one in (signed(CALL), request(b"{}"), request(b"{}", rest="x")):
            with pytest.raises(Forged, match="no secret"):
                source.verify(one)


def test_the_secret_in_the_path_counts_only_where_it_is_allowed() -> None:
    for rest in (PLAIN, f"{PLAIN}/", f"pbx/{PLAIN}", "hush%2Dhush-hush-hush"):
        OPEN.verify(request(b"{}", rest=rest))

    for rest in ("", "guess", PLAIN[:-1], PLAIN + "x", f"{PLAIN}/pbx", "é\ud800"):
        with pytest.raises(Forged):
            OPEN.verify(request(b"{}", rest=rest))
    with pytest.raises(Forged):
        GENERIC.verify(request(b"{}", rest=SECRET))


@pytest.mark.parametrize(("rest", "words"), [("guess", "is not that of this source"), ("", "is missing")])
def test_a_wrong_secret_in_the_path_is_told_as_such(rest: str, words: str) -> None:
    source = Generic(GenericSettings("main", ("secret",), allow_unsigned=True))

    with pytest.raises(Forged, match=f"the secret at the end of the address {words}"):
        source.verify(request(b"{}", rest=rest))


def test_a_secret_with_a_slash_fits_the_path_too() -> None:
    source = Generic(GenericSettings("main", ("whsec_ab/cd+ef==",), allow_unsigned=True))

    source.verify(request(b"{}", rest="whsec_ab/cd+ef=="))
    source.verify(request(b"{}", rest="whsec_ab%2Fcd%2Bef%3D%3D"))


def test_where_unsigned_is_allowed_a_signature_still_proves() -> None:
    both = Generic(GenericSettings("main", (SECRET,), allow_unsigned=True))

    both.verify(signed(CALL))
    both.verify(request(b"{}", rest=SECRET))
    with pytest.raises(Forged):
        both.verify(request(b"{}", rest="guess"))


def test_a_path_is_stored_without_its_secret() -> None:
    assert OPEN.masked_rest(request(b"{}", rest=PLAIN)) == ""
    assert GENERIC.masked_rest(request(b"{}", rest="office")) == "office"


@pytest.mark.parametrize(
    ("remote", "allowed"),
    [("192.168.1.7", True), ("::ffff:192.168.1.7", True), ("192.169.1.7", False), ("", False), ("pbx", False)],
)
def test_requests_from_other_networks_are_forged(remote: str, allowed: bool) -> None:
    source = Generic(GenericSettings("main", (SECRET,), allow_from=(ip_network("192.168.0.0/16"),)))
    one = dataclasses.replace(signed(CALL), remote=remote)
    if allowed:
        source.verify(one)
    else:
        with pytest.raises(Forged, match="allow_from"):
            source.verify(one)


def test_no_mutation_of_one_byte_is_accepted() -> None:
    good, chance = signed(CALL), random.Random(1)
    names = list(good.headers)
    for turn in range(2000):
        body, headers = bytearray(good.body), dict(good.headers)
        if turn % 2:
            body[chance.randrange(len(body))] ^= chance.randrange(1, 256)
        else:
            name = chance.choice(names)
            value = bytearray(headers[name].encode())
            value[chance.randrange(len(value))] ^= chance.randrange(1, 128)
            headers[name] = value.decode("latin-1")
        with pytest.raises(Forged):
            GENERIC.verify(request(bytes(body), headers))


def test_a_late_request_is_forged() -> None:
    good = signed(CALL)
    with pytest.raises(Forged, match="clock"):
        GENERIC.verify(request(good.body, dict(good.headers), at=AT + timedelta(minutes=6)))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_recorded_requests_read_as_expected(sample: Path) -> None:
    head, body = sample.read_bytes().split(b"\r\n\r\n", 1)
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    one = request(body, headers, first.split(" ")[1].removeprefix("/hooks/main/"))

    OPEN.verify(one)
    [arrival] = OPEN.read(one)

    said = {
        name: value.isoformat() if isinstance(value, datetime) else list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(arrival).items()
    }
    expected = json.loads(sample.with_suffix(".json").read_text())
    assert {name: said[name] for name in expected} == expected
    assert (arrival.source, arrival.received_at) == ("main", AT)


def test_json_and_form_are_one_event() -> None:
    form = [(name, value) for name, value in CALL.items() if name != "user"] + [("user[]", "101")]
    by_form = request(urlencode(list(reversed(form))).encode())

    assert GENERIC.read(posted(CALL)) == GENERIC.read(by_form)
    assert GENERIC.dedup_key(posted(CALL)) == GENERIC.dedup_key(by_form)


def test_the_journal_knows_a_signed_message_by_its_id() -> None:
    assert GENERIC.dedup_key(signed(CALL)) == GENERIC.dedup_key(signed({**CALL, "callId": "c2"}))
    assert GENERIC.dedup_key(signed(CALL)) != GENERIC.dedup_key(signed(CALL, "msg_2"))
    assert GENERIC.dedup_key(signed(CALL)) != GENERIC.dedup_key(posted(CALL))


@pytest.mark.parametrize(
    "other",
    [
        {**CALL, "event": "answer"},
        {**CALL, "callId": "c2"},
        {**CALL, "user": ["102"]},
        {**CALL, "user": ["101", "102"]},
        {**CALL, "at": 1795426200},
        {**CALL, "event": "hangup", "cause": "busy"},
        {"event": "sms", "id": "c1", "text": "x"},
        {"event": "smsStatus", "id": "c1", "status": "sent"},
        {"event": "smsStatus", "id": "c1", "status": "delivered"},
        {"event": "smsStatus", "id": "c1", "status": "sent", "at": 1795426200},
        {"event": "?"},
        {"event": "!"},
        [],
    ],
)
def test_different_events_have_different_keys(other: object) -> None:
    assert GENERIC.dedup_key(posted(other)) != GENERIC.dedup_key(posted(CALL))
    assert GENERIC.dedup_key(posted(other)) == GENERIC.dedup_key(posted(other, AT + timedelta(days=1)))


def test_a_repeat_under_a_new_id_changes_no_record() -> None:
    events = [CALL, {"event": "answer", "callId": "c1", "answeringNumber": "101"}, {"event": "hangup", "callId": "c1"}]
    once, again = [], []
    for number, payload in enumerate(events):
        once += GENERIC.read(signed(payload, f"a{number}", AT + timedelta(seconds=number)))
        again += GENERIC.read(signed(payload, f"b{number}", AT + timedelta(hours=number + 1)))

    calls = [one for one in once if isinstance(one, CallChanged)]
    repeats = [one for one in again if isinstance(one, CallChanged)]
    assert merge(repeats + calls) == merge(calls)


@pytest.mark.parametrize(
    ("field_map", "payload"),
    [
        ({"event": "type", "newCall": "start", "callId": "uuid"}, {"type": "start", "uuid": "c1"}),
        ({"event": "cmd", "event__newCall": "ringing|INCOMING"}, {"cmd": "incoming", "callId": "c1"}),
        ({"callId": "data.call.id", "event": "data.state"}, {"data": {"state": "newCall", "call": {"id": "c1"}}}),
        ({"user": "ext[]", "callId": "call_id|uuid"}, {"event": "NEWCALL", "uuid": "c1", "ext[]": ["101"]}),
    ],
)
def test_a_pbx_that_calls_things_otherwise_is_mapped(field_map: dict[str, str], payload: object) -> None:
    call = read_call(payload, mapped(**field_map))

    assert (call.event, call.call_key) == ("ringing", "c1")


def test_values_of_direction_and_cause_are_mapped() -> None:
    source = mapped(**{"in": "1", "direction__out": "2", "cause__busy": "486|17", "cause__rejected": "603"})

    def heard(direction: object, cause: str) -> tuple[Direction | None, str]:
        call = read_call({"event": "hangup", "callId": "c1", "direction": direction, "cause": cause}, source)
        return call.direction, call.cause

    assert heard(1, "17") == (Direction.INCOMING, "busy")
    assert heard("2", "603") == (Direction.OUTGOING, "rejected")
    assert heard("out", "NORMALCLEARING") == (Direction.OUTGOING, "normalClearing")
    assert heard("", "Q.850 34") == (None, "Q.850 34")


def test_a_mapped_field_is_read_by_its_mapped_name_only() -> None:
    call = read_call({**CALL, "from": "the gateway", "caller": "84956329816"}, mapped(**{"from": "caller"}))
    nobody = read_call({**CALL, "from": "the gateway"}, mapped(**{"from": "caller"}))

    assert (call.from_number, nobody.from_number) == ("84956329816", "")


@pytest.mark.parametrize("wrong", ["callid", "event.ring", "direction.up", "from.x", "", ".", "event."])
def test_a_map_of_what_is_no_name_of_ours_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="no name of ours"):
        Generic(GenericSettings("main", (SECRET,), field_map={wrong: "x"}))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23T09:30:00Z", AT),
        ("2026-11-23T12:30:00+03:00", AT),
        ("2026-11-23 12:30:00", AT),
        ("1795426200", AT),
        ("1795426200.0", AT),
        ("1795426200000", AT),
        ("", None),
        ("0", None),
        ("yesterday", None),
        ("9" * 400, None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("٢٠٢٦", None),
    ],
)
def test_times_are_read_in_the_zone_of_the_source(text: str, moment: datetime | None) -> None:
    assert read_time(text, ZoneInfo("Europe/Moscow")) == moment


def test_a_time_without_zone_is_not_believed_where_the_source_has_none() -> None:
    assert read_time("2026-11-23 12:30:00") is None


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({}, "event is missing"),
        ([], "expected event newCall"),
        ({"event": "explode"}, "'explode'.*expected event newCall"),
        ({"event": ["newCall"]}, "callId is missing"),
        ({"event": "newCall", "callId": " "}, "callId is missing"),
        ({"event": "newCall", "callId": "x" * 256}, "callId is longer"),
        ({**CALL, "from": "1" * 256}, "from is longer"),
        ({**CALL, "direction": "sideways"}, "expected in or out"),
        ({"event": "sms", "text": "x"}, "id is missing"),
        ({"event": "sms", "id": "1"}, "text is missing"),
        ({"event": "sms", "id": "1", "text": "x" * (SMS_CHARS_MAX + 1)}, "characters"),
        ({"event": "smsStatus", "id": "1"}, "status is missing"),
        ({"event": "smsStatus", "status": "sent"}, "id is missing"),
    ],
)
def test_what_can_not_be_read_says_what_was_expected(payload: object, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        GENERIC.read(posted(payload))


def test_more_users_than_anybody_has_are_left_out() -> None:
    call = read_call({**CALL, "user": [str(number) for number in range(USERS_MAX + 50)]})

    assert len(call.users) == USERS_MAX


def test_the_answer_never_steers_a_call() -> None:
    for one in (posted(CALL), posted({"event": "newCall"}), request(b"")):
        assert GENERIC.answer(one) == WebhookReply(200, b"{}", "application/json")


TEXTS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
PAYLOADS = st.dictionaries(
    st.sampled_from(["event", "callId", "direction", "from", "user", "cause", "at", "id", "text", "status", "x"]),
    TEXTS
    | st.lists(TEXTS, max_size=3)
    | st.sampled_from(["newCall", "answer", "hangup", "sms", "smsStatus", "in", "out"]),
)


@given(
    st.binary(max_size=2000) | PAYLOADS.map(lambda payload: json.dumps(payload).encode()),
    st.dictionaries(st.text(max_size=20) | st.sampled_from(["webhook-id", "webhook-signature"]), st.text(max_size=50)),
    st.text(max_size=30),
)
def test_anything_is_forged_and_reads_as_arrivals_or_a_reason(body: bytes, headers: dict[str, str], rest: str) -> None:
    anything = request(body, headers, rest)
    for source in (GENERIC, OPEN):
        with pytest.raises(Forged):
            source.verify(anything)
    assert GENERIC.dedup_key(anything).isascii()
    try:
        [arrival] = GENERIC.read(anything)
    except Unreadable:
        return
    assert isinstance(arrival, CallChanged | SmsArrived | SmsStatusChanged)
    repr(arrival).encode()
