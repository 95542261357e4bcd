"""The generic source: only what proves itself is read, and what is read is an arrival or a reason."""

import json
import random
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from connectors.base import Forged, Receiver, Unreadable, WebhookRequest
from connectors.telephony.generic import Generic, GenericSettings
from connectors.telephony.signatures import sign_standard, verify_standard
from interactions.arrivals import CallChanged, SmsArrived, SmsStatusChanged
from interactions.records import Direction

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
CALL = {
    "event": "newCall",
    "callId": "c1",
    "direction": "in",
    "from": "84956329816",
    "to": "+74951234567",
    "user": ["101"],
}


def request(body: bytes, headers: dict[str, str] | None = None, rest: str = "", at: datetime = AT) -> WebhookRequest:
    return WebhookRequest("main", "POST", rest, "", headers or {}, body, at)


def signed(payload: object, secret: str = SECRET) -> WebhookRequest:
    body = json.dumps(payload).encode()
    return request(body, sign_standard(secret, "msg_1", AT, body))


GENERIC = Generic(GenericSettings("main", (SECRET,)))
OPEN = Generic(GenericSettings("main", ("hush-hush-hush-hush",), allow_unsigned=True))


def test_it_plays_the_role_of_a_receiver() -> None:
    assert isinstance(GENERIC, Receiver)


def test_a_signed_request_proves_itself() -> None:
    GENERIC.verify(signed(CALL))


def test_the_reference_library_accepts_what_we_sign_and_we_what_it_signs() -> None:
    body, now = json.dumps(CALL).encode(), datetime.now(UTC)
    headers = sign_standard(SECRET, "msg_1", now, body)
    assert Webhook(SECRET).verify(body.decode(), headers) == CALL

    theirs = {**headers, "webhook-signature": Webhook(SECRET).sign("msg_1", now, body.decode())}
    assert verify_standard([SECRET], theirs, body, now) == "msg_1"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "needed"),
        ({"webhook-id": "1", "webhook-timestamp": "x", "webhook-signature": "v1,a"}, "number"),
        ({"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": "v1,a"}, "clock"),
        ({"webhook-id": "1", "webhook-timestamp": str(int(AT.timestamp())), "webhook-signature": "v2,a v1 ,"}, "fit"),
    ],
)
def test_what_does_not_prove_itself_is_forged(headers: dict[str, str], reason: str) -> None:
    with pytest.raises(Forged, match=reason):
        GENERIC.verify(request(b"{}", headers))


def test_an_old_secret_holds_beside_a_new_one() -> None:
    both = Generic(GenericSettings("main", ("whsec_bmV3bmV3bmV3bmV3bmV3bmV3", SECRET)))

    both.verify(signed(CALL))


def test_no_secret_means_refuse() -> None:
    with pytest.raises(Forged):
        Generic(GenericSettings("main", ())).verify(signed(CALL))
    with pytest.raises(Forged):
        Generic(GenericSettings("main", ("",), allow_unsigned=True)).verify(request(b"{}", rest=""))


def test_the_secret_in_the_path_counts_only_where_it_is_allowed() -> None:
    OPEN.verify(request(b"{}", rest="hush-hush-hush-hush"))

    with pytest.raises(Forged):
        OPEN.verify(request(b"{}", rest="guess"))
    with pytest.raises(Forged):
        GENERIC.verify(request(b"{}", rest=SECRET))
    assert OPEN.masked_rest(request(b"{}", rest="hush-hush-hush-hush")) == ""


def test_no_mutation_of_one_byte_is_accepted() -> None:
    good, chance = signed(CALL), random.Random(1)
    for _ in range(2000):
        where = chance.randrange(len(good.body))
        body = bytearray(good.body)
        body[where] ^= chance.randrange(1, 256)
        with pytest.raises(Forged):
            GENERIC.verify(request(bytes(body), dict(good.headers)))


def test_a_late_request_is_forged() -> None:
    good = signed(CALL)
    with pytest.raises(Forged, match="clock"):
        GENERIC.verify(request(good.body, dict(good.headers), at=AT + timedelta(minutes=6)))


def test_json_and_form_read_alike() -> None:
    form = [(name, value) for name, value in CALL.items() if name != "user"] + [("user[]", "101")]

    from_json = GENERIC.read(signed(CALL))
    from_form = GENERIC.read(request(urlencode(form).encode()))

    assert from_json == from_form
    [call] = from_json
    assert isinstance(call, CallChanged)
    assert (call.event, call.direction, call.from_number) == ("ringing", Direction.INCOMING, "84956329816")
    assert call.users == ("101",)


def test_messages_and_reports_are_read() -> None:
    [sms] = GENERIC.read(signed({"event": "sms", "id": 7, "direction": "in", "from": "1", "to": "2", "text": "Да"}))
    [report] = GENERIC.read(signed({"event": "smsStatus", "id": "7", "status": "delivered", "at": 1790000000}))

    assert isinstance(sms, SmsArrived)
    assert (sms.sms_key, sms.text) == ("7", "Да")
    assert isinstance(report, SmsStatusChanged)
    assert report.at is not None


def test_a_pbx_that_calls_things_otherwise_is_mapped() -> None:
    mapped = Generic(
        GenericSettings("main", (SECRET,), field_map={"callId": "uuid", "newCall": "start", "event": "type"})
    )

    [call] = mapped.read(signed({"type": "start", "uuid": "u1"}))

    assert isinstance(call, CallChanged)
    assert call.call_key == "u1"


@pytest.mark.parametrize("payload", [{}, {"event": "explode"}, {"event": "newCall"}, {"event": "sms"}, [], "x", 1])
def test_what_can_not_be_read_says_what_was_expected(payload: object) -> None:
    with pytest.raises(Unreadable, match="expected"):
        GENERIC.read(signed(payload))


@given(st.binary(max_size=2000), st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=4))
def test_any_bytes_give_arrivals_or_a_reason(body: bytes, headers: dict[str, str]) -> None:
    anything = request(body, headers)
    with pytest.raises(Forged):
        GENERIC.verify(anything)
    try:
        GENERIC.read(anything)
    except Unreadable:
        pass
