"""The vault: tokens outlive a daemon, are renewed by one of many, are never lost, and a changed key is told plainly."""

import asyncio
import contextlib
from typing import Any

import pytest

from config.secrets_at import Secret
from connectors.base import Refused, Unavailable
from connectors.oauth import Grant, Kept, OAuthSettings, Tokens
from daemon.vault import TokenVault
from storage import sources, tokens
from storage.database import Database
from storage.errors import StorageDown
from tests.fakes.token_endpoint import TokenEndpoint, running_endpoint

KEY = Secret("a secret key of this house")
CANARIES = (b"canary-access", b"canary-refresh", b"canary-given")


@pytest.fixture(autouse=True)
async def rows(database: Database) -> None:
    async with database.connection() as db:
        await sources.save_all(db, [("sales", "mailbox", "imap"), ("shop", "mailbox", "imap")])


def answer(name: str, **more: Any) -> tuple[int, dict[str, Any]]:
    return 200, {"access_token": name, "expires_in": 3600, **more}


def tokens_of(
    endpoint: TokenEndpoint, database: Database, key: Secret | None = KEY, given: str = "given", source: str = "sales"
) -> Tokens:
    """As a daemon that has just started has them."""
    return Tokens(OAuthSettings(endpoint.url, "we", "", given), source=source, vault=TokenVault(database, key))


async def set_row(database: Database, change: str) -> None:
    async with database.connection() as db:
        await db.execute(f"UPDATE source_token SET {change}")


async def test_a_token_outlives_the_daemon_and_so_does_the_refresh_token_that_came_with_it(database: Database) -> None:
    async with running_endpoint(answer("one", refresh_token="second"), answer("two")) as endpoint:
        first = await tokens_of(endpoint, database).access()
        after_restart = await tokens_of(endpoint, database).access()
        await set_row(database, "fetched_at = now() - interval '2880 s'")
        renewed = await tokens_of(endpoint, database).access()

    assert (first, after_restart, renewed) == ("one", "one", "two")
    assert [one["refresh_token"] for one in endpoint.asked] == ["given", "second"]


async def test_daemons_that_need_a_token_at_once_ask_for_one(database: Database) -> None:
    async with running_endpoint(answer("one", refresh_token="second"), answer("two")) as endpoint:
        many = [tokens_of(endpoint, database) for _ in range(6)]
        found = await asyncio.gather(*(one.access() for one in many))

    assert found == ["one"] * 6
    assert len(endpoint.asked) == 1


async def test_nothing_that_is_stored_tells_a_token(database: Database) -> None:
    async with running_endpoint(answer("canary-access", refresh_token="canary-refresh")) as endpoint:
        await tokens_of(endpoint, database, given="canary-given").access()

    async with database.connection() as db:
        [row] = await db.fetch("SELECT * FROM source_token")
        texts = await db.fetch("SELECT t::text FROM source_token t")
    stored = b"".join(value if isinstance(value, bytes) else str(value).encode() for value in row.values())
    assert not any(canary in stored for canary in CANARIES)
    assert not any(canary.hex() in str(texts) for canary in CANARIES)


async def test_a_changed_key_is_told_plainly_and_a_new_consent_heals(database: Database) -> None:
    async with running_endpoint(answer("one", refresh_token="second"), answer("two")) as endpoint:
        await tokens_of(endpoint, database).access()
        other = Secret("another key")
        with pytest.raises(Refused, match="cannot be read with this secret key") as raised:
            await tokens_of(endpoint, database, other).access()
        assert (raised.value.state, raised.value.may_lock) == ("needs_reauth", False)

        assert await tokens_of(endpoint, database, KEY).access() == "one"
        assert await tokens_of(endpoint, database, other, given="agreed anew").access() == "two"
        assert await tokens_of(endpoint, database, other, given="agreed anew").access() == "two"

    assert [one["refresh_token"] for one in endpoint.asked] == ["given", "agreed anew"]


async def test_a_changed_key_is_no_trouble_while_the_configuration_has_the_newest_token(database: Database) -> None:
    async with running_endpoint(answer("one"), answer("two"), answer("three")) as endpoint:
        await tokens_of(endpoint, database).access()
        assert await tokens_of(endpoint, database, Secret("another key")).access() == "two"
        application = Tokens(OAuthSettings(endpoint.url, "app", "s"), source="shop", vault=TokenVault(database, KEY))
        await application.access()
        again = Tokens(OAuthSettings(endpoint.url, "app", "s"), source="shop", vault=TokenVault(database, Secret("x")))
        await again.access()

    assert len(endpoint.asked) == 4


async def test_tokens_of_another_row_do_not_open(database: Database) -> None:
    async with running_endpoint(answer("one", refresh_token="second")) as endpoint:
        await tokens_of(endpoint, database).access()
        await tokens_of(endpoint, database, source="shop").access()
        await set_row(database, "refresh = (SELECT refresh FROM source_token ORDER BY source_id LIMIT 1)")

        with pytest.raises(Refused, match="damaged, or was not sealed for this row"):
            await tokens_of(endpoint, database, source="shop").access()


async def test_a_token_that_the_administrator_changed_replaces_the_stored_one(database: Database) -> None:
    async with running_endpoint(answer("one", refresh_token="second"), answer("two"), answer("three")) as endpoint:
        await tokens_of(endpoint, database).access()
        assert await tokens_of(endpoint, database, given="agreed anew").access() == "two"

    assert [one["refresh_token"] for one in endpoint.asked] == ["given", "agreed anew"]


async def test_a_daemon_with_the_configuration_of_before_uses_what_is_newer(database: Database) -> None:
    async with running_endpoint(
        answer("one"),
        answer("two", refresh_token="newest"),
        answer("three", refresh_token="still newer"),
        answer("four"),
    ) as endpoint:
        await tokens_of(endpoint, database).access()
        await tokens_of(endpoint, database, given="agreed anew").access()
        assert await tokens_of(endpoint, database).access() == "two"
        await set_row(database, "fetched_at = now() - interval '1 h'")
        assert await tokens_of(endpoint, database).access() == "three"
        await set_row(database, "fetched_at = now() - interval '1 h'")
        assert await tokens_of(endpoint, database, given="agreed anew").access() == "four"

    assert [one["refresh_token"] for one in endpoint.asked] == ["given", "agreed anew", "newest", "still newer"]


async def test_whoever_was_cancelled_meanwhile_loses_no_token(database: Database) -> None:
    vault = TokenVault(database, KEY)
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def exchange(_: Kept) -> Grant:
        asked.set()
        await go_on.wait()
        return Grant("one", 3600.0, "second", is_given=False)

    task = asyncio.create_task(vault.hold("sales", b"origin", exchange))
    await asked.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    go_on.set()
    await vault.close()

    async def look(kept: Kept) -> None:
        assert (kept.refresh_token, kept.access_token) == ("second", "one")

    await TokenVault(database, KEY).hold("sales", b"origin", look)


async def test_what_could_not_be_committed_is_written_before_anything_is_asked(database: Database, dsn: str) -> None:
    opened = await Database.open(dsn, size=2)
    vault = TokenVault(opened, KEY)
    asked = 0

    async def exchange(_: Kept) -> Grant:
        nonlocal asked
        asked += 1
        async with database.connection() as other:  # the database goes away between the answer and the commit
            await other.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )
        return Grant("one", 3600.0, "second", is_given=False)

    with pytest.raises(StorageDown):
        await vault.hold("sales", b"origin", exchange)
    kept = await vault.hold("sales", b"origin", exchange)
    await opened.close()

    assert (asked, kept.access_token, kept.refresh_token) == (1, "one", "second")
    async with database.connection() as db:
        assert await db.fetchval("SELECT version FROM source_token") == 1


async def test_a_row_that_somebody_holds_for_ever_is_unavailable(database: Database) -> None:
    vault = TokenVault(database, KEY, waits_max=2)
    async with database.connection() as db, db.transaction():
        await tokens.add(db, "sales")
    async with database.connection() as db, db.transaction():
        assert await tokens.hold(db, "sales") is not None
        with pytest.raises(Unavailable, match="another daemon is renewing the token of 'sales'"):
            await vault.hold("sales", b"origin", never)


async def never(_: Kept) -> Grant | None:
    raise AssertionError("nothing is asked of the provider")


async def test_without_a_key_tokens_live_in_memory(database: Database) -> None:
    async with running_endpoint(answer("one", refresh_token="second"), answer("two")) as endpoint:
        vault = TokenVault(database, None)
        for _ in range(2):
            one = Tokens(OAuthSettings(endpoint.url, "we", "", "given"), source="sales", vault=vault)
            assert await one.access() == "one"
        vault.use(KEY)
        assert (
            await Tokens(OAuthSettings(endpoint.url, "we", "", "given"), source="sales", vault=vault).access() == "two"
        )

    async with database.connection() as db:
        assert await db.fetchval("SELECT count(*) FROM source_token") == 1


@pytest.mark.parametrize(
    ("refusal", "asked"),
    [
        ((400, {"error": "invalid_grant"}), ["given", "second", "given"]),
        ((503, {}), ["given", "second"]),
    ],
    ids=["refused", "away"],
)
async def test_the_configured_token_is_tried_where_the_stored_one_is_refused(
    database: Database, refusal: tuple[int, dict[str, Any]], asked: list[str]
) -> None:
    async with running_endpoint(answer("one", refresh_token="second"), refusal, answer("two")) as endpoint:
        await tokens_of(endpoint, database).access()
        await set_row(database, "fetched_at = now() - interval '1 day'")
        with contextlib.suppress(Unavailable):
            assert await tokens_of(endpoint, database).access() == "two"

    assert [one["refresh_token"] for one in endpoint.asked] == asked
