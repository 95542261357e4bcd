"""Asterisk: channels are followed into calls."""

from random import Random

import pytest

from connectors.telephony.asterisk import AsteriskSettings, Follower
from tests.fakes.ami_server import PASSWORD, USER
from tests.fakes.asterisk_calls import SCENARIOS, SETTINGS, calls_of, facts_of
from tests.fakes.webhooks import AT, in_words

ORDERS = 300


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_one_call_in_any_order_with_repeats(name: str) -> None:
    table, wanted = SCENARIOS[name]
    facts, chance = facts_of(table), Random(name)

    [whole] = calls_of(facts).values()

    assert in_words(whole) == wanted
    for _ in range(ORDERS):
        some = [one for one in facts for _ in range(chance.randint(1, 3))]
        chance.shuffle(some)
        assert list(calls_of(some).values()) == [whole]


@pytest.mark.parametrize(
    ("channel", "extension"),
    [
        ("PJSIP/101-0000001f", "101"), ("SIP/5001-0a", "5001"), ("PJSIP/trunk-out-0000001f", ""), ("IAX2/anna-77", ""),
        ("PJSIP/79161234567-0000001f", ""), ("Local/101@from-queue-000001;1", "101"), ("DAHDI/i1/101-1", "101"), ("", ""),
        ("PJSIP/anna-00", "anna"), ("nonsense", ""), ("PJSIP/１０１-01", ""),
    ],
)  # fmt: skip
def test_a_channel_is_ours_by_its_device(channel: str, extension: str) -> None:
    settings = AsteriskSettings(
        "main", "h", 1, USER, PASSWORD, extensions=frozenset({"anna"} if "PJSIP" in channel else ())
    )
    follower = Follower(settings, None)

    facts = follower.read(
        {"event": "Newchannel", "channel": channel, "uniqueid": "1", "linkedid": "1", "exten": "79161234567"}, AT
    )

    users = facts[0].users if facts else (extension,)
    assert users == ((extension,) if extension else ())


def test_what_says_nothing_of_a_call_is_passed_over() -> None:
    follower = Follower(SETTINGS, None)

    for message in (
        {},
        {"event": "Hangup"},
        {"event": "VarSet", "uniqueid": "1", "linkedid": "1"},
        {"response": "Success"},
    ):
        assert follower.read(message, AT) == []
