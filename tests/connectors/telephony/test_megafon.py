"""MegaFon's virtual PBX: what names our token is read, and the events and the history of a call are one record.

A line of a scenario: `time cmd name=value …`. MegaFon's events have no time of their own: theirs is that of receipt,
minutes and seconds after 09:30.
"""

import json
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Forged, Receiver, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.megafon import Megafon, MegafonSettings
from interactions.arrivals import CallChanged
from interactions.calls import group_keys, merge
from tests.fakes.webhooks import AT, expected, form, in_words, mutated, recorded, request, said, samples

TOKEN = "hush-hush-hush"
MEGAFON = Megafon(MegafonSettings("main", TOKEN))
ORDERS = 500
EVENT = {"cmd": "event", "type": "INCOMING", "callid": "c1", "phone": "79161234567", "user": "anna", "ext": "101",
         "diversion": "74951234567", "crm_token": TOKEN}  # fmt: skip


def test_it_plays_the_role_of_a_receiver() -> None:
    assert isinstance(MEGAFON, Receiver)


def test_an_empty_secret_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="empty"):
        Megafon(MegafonSettings("main", ""))


def test_a_body_proves_itself_by_its_token_as_a_form_and_as_json() -> None:
    MEGAFON.verify(form(EVENT))
    MEGAFON.verify(request(json.dumps(EVENT).encode()))


@pytest.mark.parametrize("token", ["", "hush", TOKEN + "x", TOKEN.upper(), "é"])
def test_another_token_is_forged(token: str) -> None:
    with pytest.raises(Forged):
        MEGAFON.verify(form({**EVENT, "crm_token": token}))


@pytest.mark.parametrize("body", [b"", b"{}", b"nonsense", b"[1]", b"crm_token=x&crm_token=" + TOKEN.encode()])
def test_a_body_without_one_token_is_forged(body: bytes) -> None:
    with pytest.raises(Forged):
        MEGAFON.verify(request(body))


def test_no_mutation_of_the_token_is_accepted() -> None:
    chance = Random(1)

    for _ in range(2000):
        token = mutated(TOKEN.encode(), chance).decode("latin-1")
        with pytest.raises(Forged):
            MEGAFON.verify(form({**EVENT, "crm_token": token}))


def test_only_the_networks_that_are_allowed_may_post() -> None:
    source = Megafon(MegafonSettings("main", TOKEN, (ip_network("192.0.2.0/24"),)))

    source.verify(replace(form(EVENT), remote="192.0.2.7"))
    with pytest.raises(Forged, match="allow_from"):
        source.verify(form(EVENT))


@pytest.mark.parametrize("sample", samples("megafon"), ids=lambda path: path.stem)
def test_recorded_requests_read_as_expected(sample: Path) -> None:
    one = recorded(sample)

    MEGAFON.verify(one)
    arrivals = [said(arrival) for arrival in MEGAFON.read(one)]

    wanted = expected(sample)
    assert [{name: got[name] for name in want} for got, want in zip(arrivals, wanted, strict=True)] == wanted
    assert MEGAFON.answer(one) == WebhookReply()


@pytest.mark.parametrize(
    "change", [{"cmd": "dance"}, {"cmd": ""}, {"type": "SLEEPS"}, {"callid": ""}, {"cmd": "history", "status": "Odd"}]
)
def test_what_says_nothing_known_is_unreadable(change: dict[str, str]) -> None:
    with pytest.raises(Unreadable, match="expected"):
        MEGAFON.read(form({**EVENT, **change}))


def test_the_journal_knows_an_event_by_all_that_it_says() -> None:
    by_json = request(json.dumps(dict(reversed(EVENT.items()))).encode())

    assert MEGAFON.dedup_key(by_json) == MEGAFON.dedup_key(form(EVENT))
    assert MEGAFON.dedup_key(form({**EVENT, "user": "boris"})) != MEGAFON.dedup_key(form(EVENT))


@given(st.dictionaries(st.sampled_from(["cmd", "type", "callid", "status", "start", "phone", "direction", "second_callid"]),
                       st.sampled_from(["event", "history", "INCOMING", "in", "Success", "c1", ""]) | st.text()))  # fmt: skip
def test_anything_with_the_token_is_read_or_unreadable(fields: dict[str, str]) -> None:
    one = request(json.dumps({**fields, "crm_token": TOKEN}).encode())
    MEGAFON.verify(one)
    assert MEGAFON.dedup_key(one)

    try:
        arrivals = MEGAFON.read(one)
    except Unreadable:
        return
    assert json.dumps([said(arrival) for arrival in arrivals])


# ---- scenarios

IN = "phone=79161234567 diversion=74951234567 callid=c1"
HISTORY = "start=20261123T093000Z phone=79161234567 diversion=74951234567 callid=c1"
SCENARIOS = {
    "answered by one of a group": (
        f"""
        00:00 event type=INCOMING  {IN} ext=101
        00:00 event type=INCOMING  {IN} ext=102
        00:07 event type=ACCEPTED  {IN} ext=102 direction=in
        00:07 event type=CANCELLED {IN} ext=101
        01:07 event type=COMPLETED {IN} ext=102 direction=in
        01:09 history type=in status=Success {HISTORY} ext=102 duration=60 link=https://vats.example/1.mp3
        """,
        "incoming 79161234567 answered by 102, rings 7, talks 60, recorded https://vats.example/1.mp3",
    ),
    "missed": (
        f"""
        00:00 event type=INCOMING  {IN} ext=101
        00:20 event type=CANCELLED {IN} ext=101
        00:20 history type=in status=Missed {HISTORY} ext=101 duration=0
        """,
        "incoming 79161234567 missed (no_answer), rings 20, talks 0",
    ),
    "busy": (
        f"00:00 event type=INCOMING {IN} ext=101\n00:02 history type=in status=Busy {HISTORY} duration=0",
        "incoming 79161234567 busy, rings 2, talks 0",
    ),
    "transferred": (
        f"""
        00:00 event type=INCOMING    {IN} ext=101
        00:05 event type=ACCEPTED    {IN} ext=101
        00:50 event type=OUTGOING    callid=c2 phone=102 user=anna ext=101
        00:55 event type=TRANSFERRED {IN} ext=101 second_callid=c2
        01:00 event type=ACCEPTED    {IN} ext=102
        02:05 event type=COMPLETED   {IN} ext=102
        02:06 history type=in status=Success {HISTORY} ext=102 duration=120
        """,
        "incoming 79161234567 answered by 102, rings 5, talks 120, 101→102",
    ),
    "outgoing": (
        """
        00:00 event type=OUTGOING  phone=79161234567 diversion=74951234567 callid=c1 ext=101
        00:09 event type=ACCEPTED  phone=79161234567 callid=c1 ext=101 direction=out
        00:39 event type=COMPLETED phone=79161234567 callid=c1 ext=101 direction=out
        00:40 history type=out status=Success start=20261123T093000Z phone=79161234567 callid=c1 ext=101 duration=30
        """,
        "outgoing 79161234567 answered by 101, rings 9, talks 30",
    ),
    "a click to call that the customer does not take": (
        """
        00:00 event type=OUTGOING  phone=79161234567 diversion=74951234567 callid=c1 ext=101
        00:30 history type=out status=Cancel start=20261123T093000Z phone=79161234567 callid=c1 ext=101 duration=0
        """,
        "outgoing 79161234567 cancelled, rings 30, talks 0",
    ),
    "only the history came": (
        f"01:00 history type=in status=Success {HISTORY} ext=101 duration=60",
        "incoming 79161234567 answered by 101, rings 0, talks 60",
    ),
    "not over yet": (f"00:00 event type=INCOMING {IN} ext=101", "incoming 79161234567 ringing"),
}


def requests_of(table: str) -> list[WebhookRequest]:
    found = []
    for line in table.strip().splitlines():
        moment, command, *words = line.split()
        minutes, seconds = map(int, moment.split(":"))
        fields = {"cmd": command, "crm_token": TOKEN, **dict(word.split("=", 1) for word in words)}
        found.append(replace(form(fields), received_at=AT + timedelta(minutes=minutes, seconds=seconds)))
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_one_call_in_any_order_with_repeats(name: str) -> None:
    table, wanted = SCENARIOS[name]
    arrivals = [arrival for one in requests_of(table) for arrival in MEGAFON.read(one)]
    events, chance = [one for one in arrivals if isinstance(one, CallChanged)], Random(name)
    whole = merge(events)

    assert len(group_keys(events)) == 1
    assert in_words(whole) == wanted
    for _ in range(ORDERS):
        some = [one for one in events for _ in range(chance.randint(1, 3))]
        chance.shuffle(some)
        assert merge(some) == whole
