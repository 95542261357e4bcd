"""Access tokens: fetched before they are needed, renewed before they are old, and who has to act when they are refused."""

import asyncio
from typing import Any

import pytest

from connectors.base import ConnectorError, Refused, Unavailable
from connectors.oauth import OAuthSettings, Tokens, settings_for
from tests.fakes.token_endpoint import running_endpoint


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def answer(name: str, **more: Any) -> tuple[int, dict[str, Any]]:
    return 200, {"access_token": name, "expires_in": 3600, "token_type": "Bearer", **more}


def settings(url: str, refresh_token: str = "again") -> OAuthSettings:
    return OAuthSettings(url, "we", "s3cret", refresh_token, "mail")


async def test_a_token_is_fetched_once_and_renewed_at_four_fifths_of_its_life() -> None:
    clock = Clock()
    async with running_endpoint(answer("one"), answer("two")) as endpoint:
        tokens = Tokens(settings(endpoint.url), clock)
        first = list(await asyncio.gather(tokens.access(), tokens.access()))
        clock.now += 2879
        kept = await tokens.access()
        clock.now += 1
        renewed = await tokens.access()

    assert (first, kept, renewed) == (["one", "one"], "one", "two")
    assert endpoint.asked[0] == {
        "client_id": "we", "client_secret": "s3cret", "grant_type": "refresh_token", "refresh_token": "again",
        "scope": "mail",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("life", "kept_for"),
    [(400, 100), (100, 0), (None, 2880), ("x", 2880), ("400", 100), (-1, 2880), (1e300, 2880), (True, 2880)],
)
async def test_a_token_is_renewed_five_minutes_before_its_end(life: object, kept_for: float) -> None:
    clock = Clock()
    async with running_endpoint(answer("one", expires_in=life), answer("two")) as endpoint:
        tokens = Tokens(settings(endpoint.url), clock)
        await tokens.access()
        clock.now += kept_for - 0.5
        before = await tokens.access() if kept_for else "one"
        clock.now += 0.5
        assert (before, await tokens.access()) == ("one", "two")


async def test_another_refresh_token_is_used_from_then_on() -> None:
    clock = Clock()
    async with running_endpoint(answer("one", refresh_token="newer"), answer("two")) as endpoint:
        tokens = Tokens(settings(endpoint.url), clock)
        await tokens.access()
        clock.now += 3600
        await tokens.access()

    assert [one["refresh_token"] for one in endpoint.asked] == ["again", "newer"]


async def test_an_application_asks_in_its_own_name() -> None:
    async with running_endpoint(answer("one", refresh_token="no")) as endpoint:
        await Tokens(settings(endpoint.url, refresh_token="")).access()

    assert endpoint.asked[0]["grant_type"] == "client_credentials"


@pytest.mark.parametrize(
    ("said", "error", "state"),
    [
        ((400, {"error": "invalid_grant"}), Refused, "needs_reauth"),
        ((401, {"error": "invalid_client"}), Refused, "needs_reauth"),
        ((400, {"error": "interaction_required"}), Refused, "needs_reauth"),
        ((400, {"error": "invalid_scope"}), Refused, "misconfigured"),
        ((400, {"error": "unauthorized_client"}), Refused, "misconfigured"),
        ((400, {"error": "temporarily_unavailable"}), Unavailable, "unreachable"),
        ((400, {"error": ["canary"], "error_description": "canary"}), Refused, "misconfigured"),
        ((408, b""), Unavailable, "unreachable"),
        ((404, b"<html>"), Refused, "misconfigured"),
        ((302, b""), Refused, "misconfigured"),
        ((429, {"error": "slow_down"}), Unavailable, "throttled"),
        ((503, b"down"), Unavailable, "unreachable"),
        ((200, b"not json"), Unavailable, "unreachable"),
        ((200, b"[" * 50_000), Unavailable, "unreachable"),
        ((200, {"access_token": 7}), Unavailable, "unreachable"),
    ],
)
async def test_what_goes_wrong_says_who_has_to_act(
    said: tuple[int, dict[str, Any] | bytes], error: type[ConnectorError], state: str
) -> None:
    async with running_endpoint(said) as endpoint:
        endpoint.headers = "Retry-After: 7\r\n"
        with pytest.raises(error) as raised:
            await Tokens(settings(endpoint.url, "canary")).access()

    assert raised.value.state == state
    assert getattr(raised.value, "retry_after", 7.0) == 7.0
    assert getattr(raised.value, "may_lock", False) is False
    for secret in ("s3cret", "canary"):
        assert secret not in str(raised.value)


async def test_only_a_fresh_token_that_is_refused_is_the_fault_of_the_account() -> None:
    clock = Clock()
    async with running_endpoint(answer("one"), answer("two")) as endpoint:
        tokens = Tokens(settings(endpoint.url), clock)
        old = await tokens.access()
        clock.now += 1000
        refused_old = tokens.refuse(old)
        fresh = await tokens.access()

        assert (refused_old, fresh, tokens.refuse(fresh), tokens.refuse(old)) == (False, "two", True, False)


async def test_the_same_token_given_again_and_refused_again_is_the_fault_of_the_account() -> None:
    clock = Clock()
    async with running_endpoint(answer("same")) as endpoint:
        tokens = Tokens(settings(endpoint.url), clock)
        await tokens.access()
        clock.now += 1000
        refused_old = tokens.refuse("same")
        again = await tokens.access()

        assert (refused_old, again, tokens.refuse(again), len(endpoint.asked)) == (False, "same", True, 2)


async def test_a_token_that_is_due_is_used_to_its_end_while_the_provider_is_away() -> None:
    clock = Clock()
    async with running_endpoint(answer("one"), (503, b""), (503, b""), (503, b""), answer("two")) as endpoint:
        tokens = Tokens(settings(endpoint.url), clock)
        await tokens.access()
        clock.now += 3000
        kept = [await tokens.access() for _ in range(3)]
        asked_once = len(endpoint.asked)
        clock.now += 61
        kept.append(await tokens.access())
        asked_again = len(endpoint.asked)
        clock.now += 540
        with pytest.raises(Unavailable):
            await tokens.access()
        healed = await tokens.access()

    assert (kept, asked_once, asked_again, healed) == (["one"] * 4, 2, 3, "two")


async def test_a_refused_grant_is_told_though_the_old_token_is_not_at_its_end() -> None:
    clock = Clock()
    async with running_endpoint(answer("one"), (400, {"error": "invalid_grant"})) as endpoint:
        tokens = Tokens(settings(endpoint.url), clock)
        await tokens.access()
        clock.now += 3000
        with pytest.raises(Refused, match="agree anew"):
            await tokens.access()


async def test_of_what_microsoft_says_only_the_code_is_told() -> None:
    said = {"error": "invalid_grant", "error_description": "AADSTS70008: canary expired. Trace ID: 1"}
    async with running_endpoint((400, said)) as endpoint:
        with pytest.raises(Refused, match=r"\(status 400, invalid_grant, AADSTS70008\)") as raised:
            await Tokens(settings(endpoint.url)).access()

    assert "canary" not in str(raised.value)


def test_what_tokens_come_from_changes_with_what_was_agreed_and_not_with_the_secret_of_the_client() -> None:
    one = OAuthSettings("https://t/", "we", "s", "r", "mail")

    assert one.origin == OAuthSettings("https://t/", "we", "another", "r", "mail").origin
    others = [OAuthSettings("https://u/", "we", "s", "r", "mail"), OAuthSettings("https://t/", "we", "s", "q", "mail")]
    assert len({one.origin, *(other.origin for other in others)}) == 3


def test_providers_have_their_endpoints() -> None:
    person = settings_for("microsoft", "we", refresh_token="r")
    application = settings_for("microsoft", "we", "s", tenant="firm.example/x")

    assert person.token_url == "https://login.microsoftonline.com/common/oauth2/v2.0/token"
    assert "IMAP.AccessAsUser.All" in person.scope
    assert application.token_url == "https://login.microsoftonline.com/firm.example%2Fx/oauth2/v2.0/token"
    assert application.scope == "https://outlook.office365.com/.default"
    assert settings_for("google", "we", refresh_token="r").scope == ""
    assert settings_for("yandex360", "we", refresh_token="r").token_url == "https://oauth.yandex.ru/token"
    assert settings_for("mailru", "we", refresh_token="r").token_url == "https://o2.mail.ru/token"
    assert settings_for("custom", "we", refresh_token="r", token_url="https://t/").token_url == "https://t/"
    assert settings_for("google", "we", refresh_token="r", token_url="https://t/", scope="s").scope == "s"


@pytest.mark.parametrize(("provider", "more"), [("google", {}), ("custom", {"refresh_token": "r"}), ("microsoft", {})])
def test_what_lacks_is_said(provider: str, more: dict[str, str]) -> None:
    with pytest.raises(Refused, match="oauth needs a"):
        settings_for(provider, "we", **more)
    with pytest.raises(Refused, match="needs its tenant"):
        settings_for("microsoft", "we", "secret")


def test_secrets_do_not_print_themselves() -> None:
    assert "s3cret" not in repr(settings_for("google", "we", "s3cret", "s3cret"))
