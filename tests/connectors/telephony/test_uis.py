"""UIS: notifications by our templates are read, and all of a call's are one record in any order.

A line of a scenario: `time event name=value …` with short names (`SHORT`), put into the template of the event as the
cabinet does it. Times are minutes and seconds after 09:30.
"""

import json
import re
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Forged, Receiver, Unreadable, WebhookReply, WebhookRequest
from connectors.telephony.uis import TEMPLATES, Uis, UisSettings
from interactions.arrivals import CallChanged
from interactions.calls import merge
from tests.fakes.webhooks import AT, FOLDER, expected, in_words, mutated, recorded, request, said, samples

SECRET = "hush-hush-hush"
UIS = Uis(UisSettings("main", SECRET, ZoneInfo("Europe/Moscow")))
MANUAL = FOLDER.parents[2] / "docs/connectors.md"
ORDERS = 500
SHORT = {
    "call": "call_session_id", "dir": "direction", "inside": "is_internal", "line": "virtual_phone_number",
    "other": "contact_phone_number", "ext": "extension_phone_number", "leg": "leg_id", "start": "start_time",
    "talk": "talk_time_duration", "total": "total_time_duration", "link": "file_link", "who": "employee_full_name",
}  # fmt: skip


def filled(event: str, values: dict[str, str]) -> bytes:
    """A template as the cabinet fills it: what it does not know stays in its braces."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values.get(found[1], found[0]), TEMPLATES[event]).encode()


def posted(event: str, **values: str) -> WebhookRequest:
    return request(filled(event, {"call_session_id": "7", **values}), SECRET)


def test_it_plays_the_role_of_a_receiver() -> None:
    assert isinstance(UIS, Receiver)
    assert "SECRET" in UIS.instruct("https://x.example/hooks/main")


def test_the_manual_shows_the_templates_as_they_are_read() -> None:
    manual = MANUAL.read_text("utf-8")

    assert [event for event, template in TEMPLATES.items() if template not in manual] == []


@pytest.mark.parametrize("secret", ["", "  "])
def test_an_empty_secret_is_refused_at_once(secret: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        Uis(UisSettings("main", secret))


@pytest.mark.parametrize("rest", ["", "hush", SECRET + "x", SECRET.upper(), f"{SECRET}/x"])
def test_another_path_is_forged(rest: str) -> None:
    UIS.verify(request(b"{}", SECRET))

    with pytest.raises(Forged):
        UIS.verify(request(b"{}", rest))


def test_no_mutation_of_the_secret_is_accepted_and_it_is_never_stored() -> None:
    chance = Random(1)

    for _ in range(2000):
        with pytest.raises(Forged):
            UIS.verify(request(b"{}", mutated(SECRET.encode(), chance).decode("latin-1")))
    assert UIS.masked_rest(request(b"{}", SECRET)) == ""


def test_only_the_networks_that_are_allowed_may_post() -> None:
    source = Uis(UisSettings("main", SECRET, None, (ip_network("192.0.2.0/24"),)))

    source.verify(replace(request(b"{}", SECRET), remote="192.0.2.7"))
    with pytest.raises(Forged, match="allow_from"):
        source.verify(request(b"{}", SECRET))


@pytest.mark.parametrize("sample", samples("uis"), ids=lambda path: path.stem)
def test_recorded_requests_read_as_expected(sample: Path) -> None:
    one = recorded(sample)

    UIS.verify(one)
    arrivals = [said(arrival) for arrival in UIS.read(one)]

    wanted = expected(sample)
    assert [{name: got[name] for name in want} for got, want in zip(arrivals, wanted, strict=True)] == wanted
    assert UIS.answer(one) == WebhookReply()


@pytest.mark.parametrize("body", [b"", b"{", b'{"event": "ringing"}', b'{"event": "dance", "call_session_id": "7"}',
                                  b'{"event": "ringing", "call_session_id": "{{call_session_id}}"}'])  # fmt: skip
def test_what_is_by_no_template_of_ours_is_unreadable(body: bytes) -> None:
    assert UIS.dedup_key(request(body, SECRET))
    with pytest.raises(Unreadable, match="template"):
        UIS.read(request(body, SECRET))


def test_local_times_need_the_zone_of_the_source() -> None:
    one = posted("ringing", notification_time="2026-11-23 12:30:00")

    assert said(UIS.read(one)[0])["at"] == "2026-11-23T09:30:00+00:00"
    assert said(Uis(UisSettings("main", SECRET)).read(one)[0])["at"] is None


def test_the_journal_knows_a_notification_by_all_that_it_says() -> None:
    assert UIS.dedup_key(posted("ringing")) == UIS.dedup_key(posted("ringing"))
    assert len({UIS.dedup_key(one) for one in [posted("ringing"), posted("lost"), posted("ringing", leg_id="1")]}) == 3


@given(st.sampled_from(sorted(TEMPLATES)), st.dictionaries(st.sampled_from(sorted(SHORT.values())), st.text()))
def test_anything_is_read_or_unreadable(event: str, fields: dict[str, str]) -> None:
    one = request(json.dumps({"event": event, **fields}).encode(), SECRET)
    assert UIS.dedup_key(one)

    try:
        arrivals = UIS.read(one)
    except Unreadable:
        return
    assert json.dumps([said(arrival) for arrival in arrivals])


# ---- scenarios

BOTH = "other=79161234567 line=74951234567"
SCENARIOS = {
    "answered after it rang in vain elsewhere": (
        f"""
        00:00 ringing  dir=in {BOTH}
        00:03 waiting  dir=in {BOTH} leg=1 ext=101
        00:10 parted   dir=in {BOTH} leg=1 ext=101
        00:10 waiting  dir=in {BOTH} leg=2 ext=102
        00:15 answered dir=in {BOTH} leg=2 ext=102
        01:15 ended    dir=in {BOTH} ext=102 talk=60 total=75
        01:20 recorded dir=in {BOTH} link=https://app.example/1.mp3
        """,
        "incoming 79161234567 answered by 102, rings 15, talks 60, recorded https://app.example/1.mp3",
    ),
    "missed": (
        f"""
        00:00 ringing dir=in {BOTH}
        00:03 waiting dir=in {BOTH} leg=1 ext=101
        00:30 lost    dir=in {BOTH}
        00:30 ended   dir=in {BOTH} talk=0 total=30
        """,
        "incoming 79161234567 missed (no_answer), rings 30, talks 0",
    ),
    "lost, and nothing else came": (f"00:30 lost {BOTH}", "incoming 79161234567 missed (no_answer), rings 0, talks 0"),
    "transferred": (
        f"""
        00:00 ringing  dir=in {BOTH}
        00:05 answered dir=in {BOTH} leg=1 ext=101
        01:05 parted   dir=in {BOTH} leg=1 ext=101
        01:06 answered dir=in {BOTH} leg=2 ext=102
        02:05 ended    dir=in {BOTH} ext=102 talk=120 total=125
        """,
        "incoming 79161234567 answered by 102, rings 5, talks 120, 101→102",
    ),
    "outgoing": (
        f"""
        00:00 outgoing dir=out {BOTH} ext=101
        00:09 answered dir=out {BOTH} ext=101
        00:39 ended    dir=out {BOTH} ext=101 talk=30 total=39
        """,
        "outgoing 79161234567 answered by 101, rings 9, talks 30",
    ),
    "a click to call that the customer does not take": (
        f"00:00 outgoing {BOTH} ext=101\n00:25 ended dir=out {BOTH} ext=101 talk=0 total=25",
        "outgoing 79161234567 no_answer, rings 25, talks 0",
    ),
    "among ourselves": (
        "00:00 outgoing inside=true other=102 line=101 ext=101\n00:25 ended inside=true other=102 ext=101 talk=0 total=25",
        "internal 102 missed (no_answer), rings 25, talks 0",
    ),
}


def events_of(table: str) -> list[CallChanged]:
    found: list[CallChanged] = []
    for line in table.strip().splitlines():
        moment, event, *words = line.split()
        minutes, seconds = map(int, moment.split(":"))
        at = AT + timedelta(minutes=minutes, seconds=seconds)
        values = {SHORT[name]: value for name, value in (word.split("=", 1) for word in words)}
        one = posted(event, notification_timestamp=str(int(at.timestamp())), **values)
        found += [arrival for arrival in UIS.read(one) if isinstance(arrival, CallChanged)]
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
