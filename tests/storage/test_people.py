"""Users, sessions, one-time links and tokens: what holds, for how long, and for whom."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from storage import people
from storage.database import Database
from storage.errors import NotFound
from tests.fakes import rows

HASH = b"0" * 32
OTHER = b"1" * 32


def in_minutes(n: int) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=n)


async def test_users_are_listed_by_name_with_those_who_left(database: Database) -> None:
    async with database.connection() as db:
        for name in ("Борис", "анна"):
            user_id = await rows.contact(db, name, kind="user")
            await people.add_login(db, user_id, f"{name}@example.org", "hash", "member", "ru")
        await db.execute("UPDATE login SET disabled_at = now() WHERE user_id = $1", user_id)

        found = await people.list_all(db)

    assert [(one.name, one.disabled_at is None) for one in found] == [("анна", False), ("Борис", True)]


async def test_a_user_is_found_by_e_mail_with_the_password_of_now(database: Database) -> None:
    async with database.connection() as db:
        user_id = await rows.contact(db, "Anna", kind="user")
        await people.add_login(db, user_id, "anna@example.org", None, "admin")
        await people.set_password(db, user_id, "new")

        found = await people.find_by_email(db, "anna@example.org")
        assert await people.find_by_email(db, "nobody@example.org") is None

    assert found is not None
    assert (found[0].id, found[0].role, found[1]) == (user_id, "admin", "new")


async def test_an_e_mail_signs_in_one_user_only_and_a_role_must_be_known(database: Database) -> None:
    async with database.connection() as db:
        await rows.user(db, "anna")
        second = await rows.contact(db, "Anna II", kind="user")

        with pytest.raises(asyncpg.UniqueViolationError):
            await people.add_login(db, second, "anna@example.org", None, "member")
        with pytest.raises(asyncpg.CheckViolationError):
            await people.add_login(db, second, "anna2@example.org", None, "owner")


async def test_a_one_time_link_works_once_even_for_two_at_once(database: Database) -> None:
    async with database.connection() as db:
        user_id = await rows.user(db, "anna")
        await people.add_once_link(db, HASH, user_id, in_minutes(5))

    async def use() -> object:
        async with database.connection() as db:
            return await people.use_once_link(db, HASH)

    used = await asyncio.gather(use(), use(), use())

    assert sorted(map(str, used)) == sorted(map(str, [user_id, None, None]))


async def test_an_expired_or_unknown_link_signs_nobody_in(database: Database) -> None:
    async with database.connection() as db:
        await people.add_once_link(db, HASH, await rows.user(db, "anna"), in_minutes(-1))

        assert await people.use_once_link(db, HASH) is None
        assert await people.use_once_link(db, OTHER) is None


async def test_a_session_holds_until_it_expires_or_is_ended(database: Database) -> None:
    async with database.connection() as db:
        user_id = await rows.user(db, "anna")
        await people.add_session(db, HASH, user_id, in_minutes(5))
        await people.add_session(db, OTHER, user_id, in_minutes(-1))

        found = await people.user_of_session(db, HASH)
        assert found is not None
        assert found.id == user_id
        assert await people.user_of_session(db, OTHER) is None

        await people.end_session(db, HASH)
        assert await people.user_of_session(db, HASH) is None
        assert await db.fetchval("SELECT count(*) FROM session") == 0


async def test_a_session_of_somebody_who_left_holds_no_more(database: Database) -> None:
    async with database.connection() as db:
        user_id = await rows.user(db, "anna")
        await people.add_session(db, HASH, user_id, in_minutes(5))
        await db.execute("UPDATE login SET disabled_at = now()")

        assert await people.user_of_session(db, HASH) is None


async def test_a_token_holds_until_it_is_revoked_by_name_or_id(database: Database) -> None:
    async with database.connection() as db:
        await people.add_token(db, "crm", HASH, ["read"])
        second = await people.add_token(db, "shop", OTHER, [])
        assert [one.last_used_at for one in await people.list_tokens(db)] == [None, None]

        found = await people.find_token(db, HASH)
        assert found is not None
        assert (found.name, list(found.scopes)) == ("crm", ["read"])
        assert await people.find_token(db, b"?") is None
        await people.revoke_token(db, "crm")
        await people.revoke_token(db, str(second))

        assert await people.find_token(db, HASH) is None
        assert await people.find_token(db, OTHER) is None
        assert [one.last_used_at is None for one in await people.list_tokens(db)] == [False, True]
        with pytest.raises(NotFound, match="'crm'"):
            await people.revoke_token(db, "crm")


async def test_staff_are_those_who_are_still_with_us_and_who_had_the_extension_then(
    database: Database, now: datetime
) -> None:
    async with database.connection() as db:
        anna, boris, gone = [await rows.user(db, name) for name in ("anna", "boris", "gone")]
        await db.execute("UPDATE login SET disabled_at = now() WHERE user_id = $1", gone)
        for user_id, source, since, until in [
            (anna, "main", None, now),
            (boris, "main", now, None),
            (gone, "other", None, None),
        ]:
            await db.execute(
                "INSERT INTO extension (id, source, extension, user_id, since, until) VALUES ($1, $2, '101', $3, $4, $5)",
                uuid4(), source, user_id, since, until,
            )  # fmt: skip

        before = await people.staff(db, "main", now - timedelta(seconds=1))
        after = await people.staff(db, "main", now)

    assert before.users == {"anna@example.org": anna, "boris@example.org": boris, "gone@example.org": gone}
    assert before.active == {anna, boris}
    assert before.extensions == {"101": anna}
    assert after.extensions == {"101": boris}


async def test_a_disabled_user_is_signed_out_and_can_be_let_in_again(database: Database, now: datetime) -> None:
    async with database.connection() as db:
        anna, boris = await rows.user(db, "anna"), await rows.user(db, "boris")
        later = datetime.now(UTC) + timedelta(hours=1)
        for n, user in enumerate((anna, boris)):
            await people.add_session(db, bytes([n] * 32), user, later)
            await people.add_once_link(db, bytes([9, n] * 16), user, later)

        await people.mark_disabled(db, anna, True)
        await people.mark_disabled(db, anna, False)

        assert await people.user_of_session(db, bytes([0] * 32)) is None
        assert await people.use_once_link(db, bytes([9, 0] * 16)) is None
        assert await people.user_of_session(db, bytes([1] * 32)) is not None
        assert await people.use_once_link(db, bytes([9, 1] * 16)) == boris
        assert {user.email for user in await people.list_all(db) if user.disabled_at is None} == {
            "anna@example.org", "boris@example.org",
        }  # fmt: skip
