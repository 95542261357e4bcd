"""The careful way: header lines by hand, and what a part says of itself."""

import pytest

from interactions.mime_careful import TYPE_CHARS_MAX, Tree, careful_tree, describe, header_end, header_lines


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"A: b\r\nA: c\r\nB-c: d\r\n\r\nE: f", {"a": ["b", "c"], "b-c": ["d"]}),
        (b"A: b\r\n c\r\n\td\r\n", {"a": ["b c d"]}),
        (b"A b: c\r\n: d\r\nE\r\nF: g", {"f": ["g"]}),
        (b"\r\nA: b", {}),
        (b"", {}),
        (b"A: b\rC: d\r\rE: f", {"a": ["b"], "c": ["d"]}),
        (b"A: b\n\nC: d\r\n\r\nE: f", {"a": ["b"]}),
        (b"A: b\r\n\r\nC: d\n\nE: f", {"a": ["b"]}),
    ],
)
def test_header_lines_are_read_by_hand(raw: bytes, expected: dict[str, list[str]]) -> None:
    assert header_lines(raw) == expected
    assert header_end(raw) <= len(raw)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(b"", 0), (b"\n", 0), (b"\r\n\r\n", 0), (b"A: b", 4), (b"A: b\n\n", 4), (b"A: b\r\n\r\n", 4), (b"A\n\nB\r\n\r\n", 1),
     (b"A\r\n\r\nB\n\n", 1), (b"A: b\r\n \r\nC", 10)],
)  # fmt: skip
def test_a_header_ends_at_the_first_empty_line(raw: bytes, expected: int) -> None:
    assert header_end(raw) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("", "text/x-default"),
        (" ; charset=utf-8", "text/x-default"),
        (" Text/HTML ;x=y", "text/html"),
        ("text", "text/plain"),
        ("a/" + "b" * (TYPE_CHARS_MAX - 2), "a/" + "b" * (TYPE_CHARS_MAX - 2)),
        ("a/" + "b" * TYPE_CHARS_MAX, "application/octet-stream"),
        ("text/\x00html", "application/octet-stream"),
        ("message/rfc822", "message/rfc822"),
    ],
)
def test_a_part_has_a_type(kind: str, expected: str) -> None:
    part = Tree()

    describe(part, {"content-type": [kind]} if kind else {}, "text/x-default")

    assert part.content_type == expected
    assert part.is_message is (expected == "message/rfc822")


@pytest.mark.parametrize(
    ("placed", "kind", "disposition", "filename"),
    [
        ("attachment; filename=a", "a/b; name=c", "attachment", "a"),
        (" INLINE ;x=y", "a/b; name=c", "inline", "c"),
        ("", "a/b; name=c", "", "c"),
        ("attach\x00ment", "a/b", "attachment", ""),
    ],
)
def test_a_part_has_a_place_and_a_name(placed: str, kind: str, disposition: str, filename: str) -> None:
    part = Tree()

    describe(part, {"content-disposition": [placed], "content-type": [kind]}, "text/plain")

    assert (part.disposition, part.filename) == (disposition, filename)


def test_a_tree_that_was_cut_says_so() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nhi\r\n" * 3

    assert careful_tree(raw, 4, 2).is_whole
    assert not careful_tree(raw, 3, 2).is_whole
    assert not careful_tree(raw, 4, 1).is_whole
