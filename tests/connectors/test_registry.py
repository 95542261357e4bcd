"""The registry: every provider that is built gets its connector, and what can't be used is refused with its name."""

from pathlib import Path

import pytest

from config.load import loads
from config.not_built import TELEPHONY_BUILT
from config.telephony_settings import NEEDED, UNSIGNED, Telephony
from connectors.base import Receiver, Refused
from connectors.registry import RECEIVERS, receiver_for


def table(provider: str, **more: str) -> Telephony:
    keys = {group[0]: "long-enough-for-anybody" for group in NEEDED[provider]} | more
    lines = [f"{key} = '{value}'" for key, value in keys.items()]
    lines += ["allow_unsigned = true"] if provider in UNSIGNED else []
    text = "\n".join(["[[telephony]]", "name = 'pbx'", f"type = '{provider}'", *lines])
    return loads(text, Path("/nowhere"), {"HOME": "/home/anna"}).settings.telephony[0]


@pytest.mark.parametrize("provider", sorted(RECEIVERS))
def test_a_provider_that_is_built_has_its_receiver(provider: str) -> None:
    receiver = receiver_for(table(provider), "RU")

    assert isinstance(receiver, Receiver)
    assert "https://crm.example.org/hooks/pbx" in receiver.instruct("https://crm.example.org/hooks/pbx")


@pytest.mark.parametrize("provider", sorted(NEEDED.keys() - RECEIVERS.keys()))
def test_a_provider_that_posts_nothing_or_is_not_built_has_none(provider: str) -> None:
    assert receiver_for(table(provider), "RU") is None


def test_what_is_said_to_be_built_is_what_the_registry_knows() -> None:
    assert set(RECEIVERS) == TELEPHONY_BUILT


def test_a_secret_that_cannot_be_used_is_refused_with_the_name_of_its_source() -> None:
    with pytest.raises(Refused, match="'pbx'"):
        receiver_for(table("generic", secret="whsec_"), "RU")
