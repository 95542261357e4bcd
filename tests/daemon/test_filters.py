"""Filters of lists, from the query string of a URL; what is wrong is told, never left out."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl
from uuid import UUID

import pytest

from daemon.cursors import pack, read_cursor, write_cursor
from daemon.filters import LIMIT_DEFAULT, NAMES, WrongFilter, read_filter
from storage.lists import Filter

ID = UUID("01900000-0000-7000-8000-000000000001")


def read(query: str, **kwargs: object) -> Filter:
    return read_filter(parse_qsl(query, keep_blank_values=True), "RU", **kwargs)  # type: ignore[arg-type]


def wrong(query: str) -> list[str]:
    with pytest.raises(WrongFilter) as raised:
        read(query)
    return [name for name, _ in raised.value.errors]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", Filter()),
        ("type=sms", Filter(types=("sms",))),
        ("type=sms&type=email", Filter(types=("sms", "email"))),
        ("type=sms,email,sms", Filter(types=("sms", "email"))),
        ("direction=incoming", Filter(direction="incoming")),
        ("status=to_review", Filter(status="to_review")),
        (f"responsible={ID}", Filter(responsible_id=ID)),
        (f"author={ID}", Filter(author_id=ID)),
        (f"contact={ID}", Filter(contact_id=ID)),
        (f"partner={ID}", Filter(partner_id=ID)),
        (f"chain={ID}", Filter(chain_id=ID)),
        (f"subject={ID}", Filter(subject_id=ID)),
        (f"department={ID}", Filter(department_id=ID)),
        ("source=main", Filter(source="main")),
        ("tag=vip", Filter(tag="vip")),
        ("external_ref=1C-7", Filter(external_ref="1C-7")),
        ("importance=high", Filter(importance="high")),
        ("call_result=missed", Filter(call_result="missed")),
        ("has=attachment", Filter(has_attachment=True)),
        ("unmatched=1&ambiguous=true", Filter(unmatched=True, ambiguous=True)),
        ("unmatched=0&ambiguous=false", Filter()),
        ("number=345", Filter(number=345)),
        (f"number={2**63 - 1}", Filter(number=2**63 - 1)),
        ("order=oldest", Filter(oldest_first=True)),
        ("order=newest", Filter()),
        ("limit=200", Filter(limit=200)),
        ("since=2026-11-23", Filter(since=datetime(2026, 11, 23, tzinfo=UTC))),
        ("since=2026-11-23T09:30:00Z", Filter(since=datetime(2026, 11, 23, 9, 30, tzinfo=UTC))),
        ("until=2026-11-23T09:30:00+03:00", Filter(until=datetime(2026, 11, 23, 6, 30, tzinfo=UTC))),
        ("until=2026-11-23T09:30:00%2B03:00", Filter(until=datetime(2026, 11, 23, 6, 30, tzinfo=UTC))),
        ("since=2026-11-23T09:30", Filter(since=datetime(2026, 11, 23, 9, 30, tzinfo=UTC))),
        ("q=&direction=&type=&since=&limit=", Filter()),
    ],
)
def test_a_filter_is_read(query: str, expected: Filter) -> None:
    assert read(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        "type=fax", "type=sms,fax", "type=,", "direction=in", "status=new", "responsible=anna", "contact=1",
        "importance=urgent", "call_result=lost", "has=file", "unmatched=yes", "order=random", "number=0", "number=-1",
        "number=1e3", f"number={2**63}", "number=٣", "limit=0", "limit=201", "limit=x", "since=yesterday",
        "since=2026-13-01", "until=9999-12-31T23:59:59-14:00", "since=0001-01-01T00:00:00%2B14:00", "cursor=x",
        "q=%00", "tag=%00", "source=" + "x" * 501, "statuss=reviewed", "statuss=", "tree=yes", "subject_kind=deal",
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_told_by_its_name(query: str) -> None:
    assert wrong(query) == [query.partition("=")[0]]


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert wrong("typo=1&direction=up&limit=9999&type=sms") == ["typo", "direction", "limit"]


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(WrongFilter, match="responsible, since, source"):
        read("who=anna")


def test_names_that_mean_something_else_to_the_caller_are_passed_over() -> None:
    assert read("full=1&lang=ru", others=("full", "lang")) == Filter()
    assert "full" not in NAMES


def test_the_largest_page_may_be_smaller_than_the_usual_one() -> None:
    assert read("").limit == LIMIT_DEFAULT
    assert read("", limit_max=20).limit == 20
    with pytest.raises(WrongFilter):
        read("limit=21", limit_max=20)


def test_words_and_numbers_are_read_as_a_search() -> None:
    assert read("q=495 632-98-16").query == read("q=%2B7 (495) 6329816").query
    assert read("q=консультация").query != read("q=%2B74956329816").query


@pytest.mark.parametrize("q", ["!!!", "-", '"', "&|", "()", "***", "\u202e", "ъ"])
def test_a_search_for_nothing_that_can_be_found_does_not_show_everything(q: str) -> None:
    query = read_filter([("q", q)], "RU").query

    assert query is not None
    assert query.words or query.prefixes


def test_a_cursor_leads_back_to_its_line() -> None:
    at = datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=UTC)

    assert read_cursor(write_cursor(at, ID)) == (at, ID)
    assert read(f"cursor={write_cursor(at, ID)}").after == (at, ID)


@pytest.mark.parametrize(
    "cursor",
    [
        "", "x", "é", "====", "AAAA", "W10", "bnVsbA", pack("2026-11-23", ID), pack("yesterday", ID),
        pack("0001-01-01T00:00:00+14:00", ID), pack("9999-12-31T23:59:59-14:00", ID), pack("\x00", ID),
        pack("2026-11-23T00:00:00Z", ID)[:-6], "W1tbW1tb" * 50, write_cursor(datetime(2026, 1, 1, tzinfo=UTC), ID) + "x",
    ],
)  # fmt: skip
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match="earlier answer"):
        read_cursor(cursor)
