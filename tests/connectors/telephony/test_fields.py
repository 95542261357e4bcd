"""A body is flat fields or a reason, whatever comes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Unreadable
from connectors.telephony.fields import BODY_BYTES_MAX, DEPTH_MAX, FIELDS_MAX, read_fields


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b'{"a": 1, "b": "x", "c": true, "d": null}', {"a": ["1"], "b": ["x"], "c": ["true"]}),
        (b'{"id": 123456789012345678901234567890}', {"id": ["123456789012345678901234567890"]}),
        (b'{"at": 1e999}', {"at": ["1e999"]}),
        (b'\xef\xbb\xbf {"a": "x"}', {"a": ["x"]}),
        (b'{"user": ["1", 2, {"x": 1}, null]}', {"user": ["1", "2"]}),
        (b'{"call": {"from": "1", "to": {"number": 2}}}', {"call.from": ["1"], "call.to.number": ["2"]}),
        (b'{"a": "x\\u0000y\\ud800"}', {"a": ["xy\ufffd"]}),
        (b"a=1&user=2&user[]=3&user%5B0%5D=4", {"a": ["1"], "user": ["2", "3", "4"]}),
        (b"a=%00x&b=", {"a": ["x"], "b": [""]}),
        ("a=Привет".encode(), {"a": ["Привет"]}),
        ("a=Привет".encode("cp1251"), {"a": ["Привет"]}),
    ],
)
def test_bodies_read_as_flat_fields(body: bytes, fields: dict[str, list[str]]) -> None:
    assert read_fields(body, "expected more") == fields


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"  ", "empty"),
        (b"[]", "not one JSON object"),
        (b'"x"', "not one JSON object"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": ', "not JSON"),
        (b"{" * 100_000, "not JSON"),
        (b'{"a":' * 40_000, "not JSON"),
        (b'{"\xff": 1}', "not JSON"),
        (b"hello", "neither"),
        (b"\xff\xfe\x00", "neither"),
        (b"&".join(b"a=1" for _ in range(FIELDS_MAX + 1)), f"more than {FIELDS_MAX}"),
        (json.dumps({str(n): n for n in range(FIELDS_MAX + 1)}).encode(), f"more than {FIELDS_MAX}"),
        (b"a" * (BODY_BYTES_MAX + 1), "bytes"),
    ],
)
def test_what_can_not_be_read_has_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read_fields(body, "expected more")


def test_deeper_objects_than_the_bound_are_left_out() -> None:
    nested: object = "x"
    for _ in range(DEPTH_MAX + 1):
        nested = {"a": nested}

    assert read_fields(json.dumps({"b": 1, "deep": nested}).encode(), "") == {"b": ["1"]}


@given(st.binary(max_size=500) | st.text(max_size=200).map(lambda text: json.dumps({text: text, "b": [text]}).encode()))
def test_any_bytes_give_storable_texts_or_a_reason(body: bytes) -> None:
    try:
        fields = read_fields(body, "expected more")
    except Unreadable:
        return
    for values in fields.values():
        for value in values:
            assert "\x00" not in value
            value.encode()
