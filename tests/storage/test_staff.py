"""Users as the company has them, read and changed; who is there at a moment, and who stands in."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from storage import people, staff
from storage.database import Database
from storage.staff import Department, Extension
from tests.fakes.rows import user

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


async def test_a_change_touches_what_is_named_and_nothing_else(database: Database) -> None:
    async with database.connection() as db:
        anna = await user(db, "anna")
        assert await staff.change(db, anna, {"role": "admin", "timezone": "Asia/Omsk"}, None)
        assert await staff.change(db, anna, {"name": "Анна"}, "анна")
        assert not await staff.change(db, uuid4(), {"role": "admin"}, None)

        [found] = await staff.list_all(db)
    assert (found.name, found.role, found.timezone, found.language) == ("Анна", "admin", "Asia/Omsk", None)


async def test_whoever_is_disabled_is_signed_out_at_once(database: Database) -> None:
    async with database.connection() as db:
        anna = await user(db, "anna")
        await people.add_session(db, b"s", anna, NOW + DAY)
        await people.add_once_link(db, b"l", anna, NOW + DAY)

        await staff.change(db, anna, {"disabled": True}, None)

        assert await people.user_of_session(db, b"s") is None
        assert await people.use_once_link(db, b"l") is None
        await staff.change(db, anna, {"disabled": False}, None)
        assert await people.user_of_session(db, b"s") is None


async def test_absences_come_and_go_and_deputies_stand_in(database: Database) -> None:
    async with database.connection() as db:
        anna, boris = await user(db, "anna"), await user(db, "boris")
        await staff.change(db, anna, {"deputy_id": str(boris)}, None)
        await staff.set_absence(db, anna, NOW - DAY, NOW + DAY)

        for at, there in [(NOW, {boris}), (NOW + 2 * DAY, {anna, boris}), (NOW - 2 * DAY, {anna, boris})]:
            found = await people.staff(db, "main", at)
            assert found.active == there
            assert found.standing_in == ({anna: boris} if anna not in there else {})
        await staff.set_absence(db, anna, None, None)
        assert (await people.staff(db, "main", NOW)).standing_in == {}


async def test_extensions_and_departments_are_replaced_as_a_whole(database: Database) -> None:
    async with database.connection() as db:
        anna = await user(db, "anna")
        await staff.set_extensions(db, anna, [Extension("main", "101"), Extension("main", "102", NOW - DAY, NOW)])
        await staff.set_extensions(db, anna, [Extension("main", "103", NOW - DAY)])
        one = Department(uuid4(), "Продажи")
        await staff.save_department(db, one)
        await staff.save_department(db, Department(one.id, "Сбыт", None, anna))
        await staff.change(db, anna, {"department_id": str(one.id)}, None)

        [found] = await staff.list_all(db, [anna])
        assert found.extensions == (Extension("main", "103", NOW - DAY),)
        assert found.department_id == one.id
        assert await staff.departments(db) == [Department(one.id, "Сбыт", None, anna)]
        assert (await people.staff(db, "main", NOW)).extensions == {"103": anna}
