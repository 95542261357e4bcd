"""Twilio: what is signed for our address is read, and parent and children of a call are one record in any order.

A line of a scenario: `time name=value …` with short names (`SHORT`). Times are minutes and seconds after 09:30.
"""

import base64
import hmac
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from hashlib import sha1, sha256
from ipaddress import ip_network
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Forged, Receiver, Unreadable, WebhookRequest
from connectors.telephony.twilio import Twilio, TwilioSettings
from interactions.arrivals import CallChanged, SmsArrived, SmsStatusChanged
from interactions.calls import merge
from tests.fakes.webhooks import AT, expected, in_words, mutated, recorded, request, said, samples

SID, TOKEN = "AC" + "0" * 32, "hush-hush-hush"
ADDRESS = "https://crm.example.org/hooks/main"
SETTINGS = TwilioSettings("main", SID, TOKEN, ADDRESS, frozenset({"+14155550101", "sip:office@example.org"}))
TWILIO = Twilio(SETTINGS)
MUTATIONS = 2000
ORDERS = 500
CALL = {"CallSid": "CA1", "AccountSid": SID, "CallStatus": "ringing", "Direction": "inbound", "From": "+14158675309",
        "To": "+18005551212", "SequenceNumber": "0", "CallerName": "Ann & Bob"}  # fmt: skip
# Signatures that the provider's own library is tested with, for the address `PUBLISHED` and the token `12345`.
PUBLISHED = "mycompany.com/myapp.php?foo=1&bar=2"
CALLER = [("CallSid", "CA1234567890ABCDE"), ("Digits", "1234"), ("From", "+14158675309"), ("To", "+18005551212"),
          ("Caller", "+14158675309")]  # fmt: skip
REPEATED = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]


def signature(address: str, pairs: Sequence[tuple[str, str]]) -> str:
    text = address + "".join(name + value for name, value in sorted(set(pairs)))
    return base64.b64encode(hmac.new(TOKEN.encode(), text.encode(), sha1).digest()).decode()


def signed(fields: dict[str, str], rest: str = "", query: str = "") -> WebhookRequest:
    address = ADDRESS + (f"/{rest}" if rest else "") + (f"?{query}" if query else "")
    headers = {"x-twilio-signature": signature(address, list(fields.items()))}
    return request(urlencode(fields).encode(), rest, headers, query=query)


# ---- proof


def test_it_plays_the_role_of_a_receiver() -> None:
    assert isinstance(TWILIO, Receiver)
    assert "not as the address of incoming calls" in TWILIO.instruct(ADDRESS)


@pytest.mark.parametrize(
    ("address", "pairs", "proof"),
    [
        (f"https://{PUBLISHED}", CALLER, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (f"https://{PUBLISHED}", REPEATED, "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
        (f"https://{PUBLISHED}", CALLER, "kvajT1Ptam85bY51eRf/AJRuM3w="),  # signed with :443
        (f"http://{PUBLISHED}", CALLER, "0ZXoZLH/DfblKGATFgpif+LLRf4="),  # signed with :80
        (f"http://{PUBLISHED.replace('.com', '.com:1234')}", CALLER, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    ],
)
def test_a_published_signature_is_a_proof(address: str, pairs: list[tuple[str, str]], proof: str) -> None:
    where, _, query = address.partition("?")
    source = Twilio(TwilioSettings("main", SID, "12345", where))
    one = request(urlencode(pairs).encode(), headers={"x-twilio-signature": proof}, query=query)

    source.verify(one)
    for other in (replace(one, body=one.body + b"&x=1"), replace(one, query="foo=1"), replace(one, rest="x")):
        with pytest.raises(Forged):
            source.verify(other)


def test_a_published_json_body_is_proved_by_its_hash_in_the_query() -> None:
    body = b'{"property": "value", "boolean": true}'
    query = "foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    source = Twilio(TwilioSettings("main", SID, "12345", "https://mycompany.com/myapp.php"))
    one = request(body, headers={"x-twilio-signature": "a9nBmqA0ju/hNViExpshrM61xv4="}, query=query)

    source.verify(one)
    for other in (replace(one, body=body + b" "), replace(one, query=query.replace("0a1f", "0a1e"))):
        with pytest.raises(Forged):
            source.verify(other)


def test_a_request_by_get_is_proved_by_its_query() -> None:
    one = replace(signed({}, query=urlencode(CALL)), method="GET")

    TWILIO.verify(one)
    assert TWILIO.read(one) == TWILIO.read(signed(CALL))


@pytest.mark.parametrize(("sid", "token"), [("", TOKEN), (SID, ""), ("", "")])
def test_an_empty_account_or_token_is_refused_at_once(sid: str, token: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        Twilio(TwilioSettings("main", sid, token, ADDRESS))


@pytest.mark.parametrize("given_signature", ["", "x", base64.b64encode(b"0" * 20).decode()])
def test_a_wrong_signature_is_forged(given_signature: str) -> None:
    with pytest.raises(Forged):
        TWILIO.verify(replace(signed(CALL), headers={"x-twilio-signature": given_signature}))


def test_another_account_is_forged_though_it_is_signed() -> None:
    with pytest.raises(Forged, match="account"):
        TWILIO.verify(signed({**CALL, "AccountSid": "AC1"}))


def test_only_the_networks_that_are_allowed_may_post() -> None:
    source = Twilio(replace(SETTINGS, allow_from=(ip_network("192.0.2.0/24"),)))

    source.verify(replace(signed(CALL), remote="192.0.2.7"))
    with pytest.raises(Forged, match="allow_from"):
        source.verify(signed(CALL))


def test_no_mutation_of_one_byte_is_accepted() -> None:
    good, chance = signed({**CALL, "Body": "Привет, мир"}, query="a=1"), Random(1)
    TWILIO.verify(good)

    accepted = []
    for turn in range(MUTATIONS):
        changed = (
            replace(good, body=mutated(good.body, chance))
            if turn % 4
            else replace(
                good,
                headers={
                    "x-twilio-signature": mutated(good.headers["x-twilio-signature"].encode(), chance).decode("latin-1")
                },
            )
        )
        try:
            TWILIO.verify(changed)
        except Forged:
            continue
        accepted.append(changed)

    assert accepted == []


# ---- reading


@pytest.mark.parametrize("sample", samples("twilio"), ids=lambda path: path.stem)
def test_recorded_requests_read_as_expected(sample: Path) -> None:
    one = recorded(sample)

    TWILIO.verify(one)
    arrivals = [said(arrival) for arrival in TWILIO.read(one)]

    wanted = expected(sample)
    assert [{name: got[name] for name in want} for got, want in zip(arrivals, wanted, strict=True)] == wanted
    assert b"<Response/>" in TWILIO.answer(one).body
    assert TWILIO.masked_rest(one) == one.rest


@pytest.mark.parametrize("fields", [{}, {"CallSid": "CA1"}, {**CALL, "CallStatus": "asleep"}, {"MessageSid": "SM1"},
                                    {"RecordingSid": "RE1", "RecordingStatus": "completed"}])  # fmt: skip
def test_what_says_nothing_known_is_unreadable(fields: dict[str, str]) -> None:
    with pytest.raises(Unreadable, match="expected"):
        TWILIO.read(signed(fields))


@pytest.mark.parametrize(
    ("status", "ours"),
    [("queued", "queued"), ("delivered", "delivered"), ("undelivered", "undelivered"), ("new", "unknown")],
)
def test_what_became_of_a_message(status: str, ours: str) -> None:
    [arrival] = TWILIO.read(signed({"MessageSid": "SM1", "MessageStatus": status, "AccountSid": SID}))

    assert isinstance(arrival, SmsStatusChanged)
    assert (arrival.sms_key, arrival.status) == ("SM1", ours)


def test_pictures_stand_behind_the_text_as_links() -> None:
    fields = {
        "MessageSid": "MM1",
        "Body": "Вот",
        "NumMedia": "2",
        "MediaUrl0": "https://a/1",
        "MediaUrl1": "https://a/2",
    }

    [arrival] = TWILIO.read(signed(fields))

    assert isinstance(arrival, SmsArrived)
    assert arrival.text == "Вот\nhttps://a/1\nhttps://a/2"


def test_the_journal_knows_an_event_by_twilios_ids() -> None:
    again = {**CALL, "ApiVersion": "2010-04-01"}
    others = [
        {**CALL, "CallStatus": "completed"},
        {**CALL, "SequenceNumber": "1"},
        {**CALL, "CallSid": "CA2"},
        {"a": "b"},
    ]

    assert TWILIO.dedup_key(signed(again)) == TWILIO.dedup_key(signed(CALL))
    assert len({TWILIO.dedup_key(signed(one)) for one in [CALL, *others]}) == 5


@given(st.dictionaries(st.sampled_from(["CallSid", "CallStatus", "ParentCallSid", "Direction", "From", "To", "Timestamp",
                                        "MessageSid", "Body", "MessageStatus", "RecordingSid", "RecordingStatus"]), st.text()))  # fmt: skip
def test_anything_signed_is_read_or_unreadable(fields: dict[str, str]) -> None:
    one = request(urlencode(fields, errors="replace").encode())
    assert TWILIO.dedup_key(one)

    try:
        arrivals = TWILIO.read(one)
    except Unreadable:
        return
    assert json.dumps([said(arrival) for arrival in arrivals])


# ---- scenarios

SHORT = {"id": "CallSid", "parent": "ParentCallSid", "status": "CallStatus", "dir": "Direction", "from": "From", "to": "To",
         "seq": "SequenceNumber", "by": "AnsweredBy", "rec": "RecordingSid", "recorded": "RecordingStatus",
         "url": "RecordingUrl", "source": "RecordingSource", "duration": "CallDuration"}  # fmt: skip
PARENT = "id=CA1 dir=inbound from=+14158675309 to=+18005551212"
CHILD = "parent=CA1 dir=outbound-dial from=+14158675309"
SCENARIOS = {
    "answered by one of two": (
        f"""
        00:00 {PARENT} status=ringing seq=0
        00:02 {PARENT} status=in-progress seq=1
        00:05 {CHILD} id=CA2 to=client:anna status=initiated seq=0
        00:05 {CHILD} id=CA3 to=client:boris status=ringing seq=0
        00:12 {CHILD} id=CA2 to=client:anna status=in-progress seq=1
        00:12 {CHILD} id=CA3 to=client:boris status=canceled seq=1
        01:12 {CHILD} id=CA2 to=client:anna status=completed seq=2
        01:12 {PARENT} status=completed seq=2
        01:20 id=CA1 rec=RE1 recorded=completed url=https://api.twilio.com/RE1 source=DialVerb
        """,
        "incoming +14158675309 answered by client:anna, rings 12, talks 60, recorded https://api.twilio.com/RE1",
    ),
    "missed: only TwiML picked up": (
        f"""
        00:00 {PARENT} status=ringing seq=0
        00:01 {PARENT} status=in-progress seq=1
        00:05 {CHILD} id=CA2 to=client:anna status=ringing seq=0
        00:25 {CHILD} id=CA2 to=client:anna status=no-answer seq=1
        00:26 {PARENT} status=completed seq=2
        """,
        "incoming +14158675309 missed (unknown), rings 26, talks 0",
    ),
    "busy": (
        """
        00:00 id=CA1 dir=outbound-api from=+18005551212 to=+14158675309 status=initiated seq=0
        00:04 id=CA1 dir=outbound-api from=+18005551212 to=+14158675309 status=busy seq=1
        """,
        "outgoing +14158675309 busy, rings 4, talks 0",
    ),
    "a voice mail": (
        f"""
        00:00 {PARENT} status=ringing seq=0
        00:01 {PARENT} status=in-progress seq=1
        00:40 {PARENT} status=completed seq=2
        00:45 id=CA1 rec=RE1 recorded=completed url=https://api.twilio.com/RE1 source=RecordVerb
        """,
        "incoming +14158675309 voicemail, rings 40, talks 0, recorded https://api.twilio.com/RE1",
    ),
    "handed on to another": (
        f"""
        00:00 {PARENT} status=ringing seq=0
        00:01 {PARENT} status=in-progress seq=1
        00:05 {CHILD} id=CA2 to=client:anna status=in-progress seq=1
        01:00 {CHILD} id=CA2 to=client:anna status=completed seq=2
        01:05 {CHILD} id=CA3 to=client:boris status=in-progress seq=1
        02:05 {CHILD} id=CA3 to=client:boris status=completed seq=2
        02:05 {PARENT} status=completed seq=2
        """,
        "incoming +14158675309 answered by client:boris, rings 5, talks 120, client:anna→client:boris",
    ),
    "on to a mobile outside, and only the end of the call is told of": (
        f"""
        00:05 {CHILD} id=CA2 to=+14155559999 status=ringing seq=0
        00:09 {CHILD} id=CA2 to=+14155559999 status=in-progress seq=1
        00:39 {PARENT} status=completed seq=2
        """,
        "incoming +14158675309 answered by +14155559999, rings 4, talks 30",
    ),
    "outgoing": (
        """
        00:00 id=CA1 dir=outbound-api from=+18005551212 to=+14158675309 status=initiated seq=0
        00:08 id=CA1 dir=outbound-api from=+18005551212 to=+14158675309 status=in-progress seq=2
        00:38 id=CA1 dir=outbound-api from=+18005551212 to=+14158675309 status=completed seq=3
        """,
        "outgoing +14158675309 answered, rings 8, talks 30",
    ),
    "outgoing, and a machine picks up": (
        """
        00:00 id=CA1 dir=outbound-api from=+18005551212 to=+14158675309 status=initiated seq=0
        00:08 id=CA1 dir=outbound-api from=+18005551212 to=+14158675309 status=in-progress seq=2 by=machine_start
        00:18 id=CA1 dir=outbound-api from=+18005551212 to=+14158675309 status=completed seq=3
        """,
        "outgoing +14158675309 no_answer, rings 18, talks 0",
    ),
    "click to call that the customer takes": (
        """
        00:00 id=CA1 dir=outbound-api from=+18005551212 to=client:anna status=initiated seq=0
        00:03 id=CA1 dir=outbound-api from=+18005551212 to=client:anna status=in-progress seq=1
        00:04 id=CA2 parent=CA1 dir=outbound-dial from=+18005551212 to=+14158675309 status=ringing seq=0
        00:10 id=CA2 parent=CA1 dir=outbound-dial from=+18005551212 to=+14158675309 status=in-progress seq=1
        00:40 id=CA2 parent=CA1 dir=outbound-dial from=+18005551212 to=+14158675309 status=completed seq=2
        00:40 id=CA1 dir=outbound-api from=+18005551212 to=client:anna status=completed seq=2
        """,
        "outgoing +14158675309 answered by client:anna, rings 10, talks 30",
    ),
    "click to call: our own telephone first": (
        """
        00:00 id=CA1 dir=outbound-api from=+18005551212 to=client:anna status=initiated seq=0
        00:03 id=CA1 dir=outbound-api from=+18005551212 to=client:anna status=in-progress seq=1
        00:04 id=CA2 parent=CA1 dir=outbound-dial from=+18005551212 to=+14158675309 status=ringing seq=0
        00:24 id=CA2 parent=CA1 dir=outbound-dial from=+18005551212 to=+14158675309 status=no-answer seq=1
        00:25 id=CA1 dir=outbound-api from=+18005551212 to=client:anna status=completed seq=2
        """,
        "outgoing +14158675309 no_answer, rings 25, talks 0",
    ),
}  # fmt: skip


def events_of(table: str) -> list[CallChanged]:
    found: list[CallChanged] = []
    for line in table.strip().splitlines():
        moment, *words = line.split()
        minutes, seconds = map(int, moment.split(":"))
        fields = {"AccountSid": SID, "Timestamp": format_datetime(AT + timedelta(minutes=minutes, seconds=seconds))}
        fields |= {SHORT[name]: value for name, value in (word.split("=", 1) for word in words)}
        one = signed(fields)
        TWILIO.verify(one)
        found += [arrival for arrival in TWILIO.read(one) if isinstance(arrival, CallChanged)]
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


def test_the_hash_of_a_json_body_is_that_of_its_bytes() -> None:
    body = json.dumps({"a": 1}).encode()
    query = f"bodySHA256={sha256(body).hexdigest()}"
    one = request(body, headers={"x-twilio-signature": signature(f"{ADDRESS}?{query}", [])}, query=query)

    TWILIO.verify(one)
    with pytest.raises(Unreadable):
        TWILIO.read(one)
