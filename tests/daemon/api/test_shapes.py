"""What all resources share: times, tags of versions, cursors, bodies."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from fastapi import Request

from daemon.api.problems import Problem
from daemon.api.shapes import after_moment, after_name, etag, read_json, time_json, wanted_version
from daemon.cursors import pack, write_cursor
from tests.fakes.asgi import scope_of

ID = UUID("01900000-0000-7000-8000-000000000001")
AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, None),
        (AT, "2026-11-23T09:30:00Z"),
        (AT.replace(microsecond=5), "2026-11-23T09:30:00.000005Z"),
        (AT.astimezone(timezone(timedelta(hours=3))), "2026-11-23T09:30:00Z"),
    ],
)
def test_times_are_in_utc(at: datetime | None, text: str | None) -> None:
    assert time_json(at) == text


@pytest.mark.parametrize(
    ("given", "version"),
    [(None, None), ("*", None), ("", None), (" ", None), (etag(7), 7), ('W/"7"', 7), ("7", 7), ('"000000001"', 1)],
)
def test_a_tag_names_the_version_that_was_read(given: str | None, version: int | None) -> None:
    headers = [("if-match", given)] if given is not None else []

    assert wanted_version(Request(scope_of("PATCH", "/", headers))) == version


@pytest.mark.parametrize("given", ['"x"', '"1", "2"', '"-1"', '"1.0"', '"9999999999"', '"²"', '""', "W/"])
def test_a_tag_that_is_none_of_ours_names_no_version_there_is(given: str) -> None:
    with pytest.raises(Problem) as raised:
        wanted_version(Request(scope_of("PATCH", "/", [("if-match", given)])))

    assert raised.value.status == 412


def test_cursors_lead_back() -> None:
    assert after_moment(write_cursor(AT, ID)) == (AT, ID)
    assert after_name(pack("магазин", ID)) == ("магазин", ID)
    assert (after_moment(None), after_name("")) == (None, None)


@pytest.mark.parametrize("cursor", ["x", "é", pack("магазин", ID), pack("2026-11-23", ID), "A" * 4000])
def test_a_cursor_that_is_not_ours_is_a_problem(cursor: str) -> None:
    with pytest.raises(Problem) as raised:
        after_moment(cursor)

    assert (raised.value.code, raised.value.errors[0][0]) == ("invalid", "cursor")


def test_a_name_in_a_cursor_is_a_text_that_the_database_can_hold() -> None:
    for first in ("\x00", "\ud800"):
        with pytest.raises((Problem, UnicodeEncodeError)):
            after_name(pack(first, ID))


async def body(raw: bytes) -> object:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": raw}

    return await read_json(Request(scope_of("POST", "/"), receive))


async def test_a_body_is_an_object() -> None:
    assert await body('{"a": "я"}'.encode()) == {"a": "я"}


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"1", b'"x"', b"null", b"\xff", b"[" * 100_000, b"9" * 5000])
async def test_anything_else_is_a_problem(raw: bytes) -> None:
    with pytest.raises(Problem) as raised:
        await body(raw)

    assert raised.value.code == "invalid"
