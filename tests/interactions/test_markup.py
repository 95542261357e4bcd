"""HTML in one pass: no word is lost, every tag is closed in its order, and nothing takes long."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.markup import DEPTH_MAX, TAGS_MAX, Token, tokens, well_formed, words_of

ALLOWED = {
    tag: frozenset({"href", "title"})
    for tag in "a b blockquote br code div font hr i img li ol p pre span table tbody td th thead tr u ul colgroup col".split()
}


class Checker(HTMLParser):
    """Fails on a tag that is not closed in its order; measures the depth."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.deepest = 0
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED
        self.attributes += attrs
        if tag not in ("br", "hr", "img", "col"):
            self.open.append(tag)
            self.deepest = max(self.deepest, len(self.open))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = unknown_decl = handle_pi = handle_comment


def check(written: str) -> Checker:
    checker = Checker()
    checker.feed(written)
    checker.close()
    assert checker.open == []
    return checker


def words(html: str) -> str:
    return "".join(words_of(html).split())


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("", []),
        ("words", [Token("words")]),
        ("<B>x</B >", [Token(name="b"), Token("x"), Token(name="b", rest=" ", is_end=True)]),
        ("<a href='>'>x", [Token(name="a", rest=" href='>'"), Token("x")]),
        ('<a href="<b>">x', [Token(name="a", rest=' href="<b>"'), Token("x")]),
        ('<a href=">x', [Token(name="a", rest=' href="'), Token("x")]),
        ("a < b <1> <", [Token("a < b <1> <")]),
        ("a<!-- <b> -->b<!-->c<!-- --!>d<!--", [Token("a"), Token("b"), Token("c"), Token("d")]),
        ("<!DOCTYPE html><?xml?></>a", [Token("a")]),
        (
            "<script>if (a<b) '</scripts>'</script>x",
            [Token(name="script"), Token(name="script", is_end=True), Token("x")],
        ),
        ("a<style>never ends", [Token("a"), Token(name="style")]),
        ("a<b", [Token("a"), Token(name="b")]),
    ],
)
def test_a_text_is_cut_into_tags_and_words(html: str, expected: list[Token]) -> None:
    assert list(tokens(html)) == expected


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<b><i>x</b>y</i>", "<b><i>x</i></b>y"),
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<p>a<div>b</div>c", "<p>a</p><div>b</div>c"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>d", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>d"),
        ("<a>x<a>y", "<a>x</a><a>y</a>"),
        ("</p></div>a", "a"),
        ("<div/>a", "<div>a</div>"),
        ("a<br/>b<br>c</br>", "a<br>b<br>c"),
        ("<table><tr><td>a<td>b<tr><td>c</table>d",
         "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>d"),
        ("<table><td>a", "<table><tr><td>a</td></tr></table>"),
        ("<table> \n<tr> <td>a", "<table><tr><td>a</td></tr></table>"),
        ("<table>a<tr>b<b>c", "<table><tr><td>a</td></tr><tr><td>b<b>c</b></td></tr></table>"),
        ("<table><colgroup><col><td>a", "<table><colgroup><col></colgroup><tr><td>a</td></tr></table>"),
        ("<table><thead><tr><th>a<tbody><tr><td>b",
         "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>"),
        ("<td>a</td><tr>b</tr><col>", "ab"),
        ("<div><table><tr><td></div>a</table>b", "<div><table><tr><td>a</td></tr></table>b</div>"),
        ("<table><tr><td><table><tr><td>a</table>b</td></table>",
         "<table><tr><td><table><tr><td>a</td></tr></table>b</td></tr></table>"),
        ("<blink>a</blink><form>b", "ab"),
        ("a &lt;b&gt; &amp; &quot;", 'a &lt;b&gt; &amp; "'),
        ("<a HREF='x' onclick=y title=\"a&quot;b\" href=z>c", '<a href="x" title="a&quot;b">c</a>'),
        ("<a href=x/y?a=1&b=2>c", '<a href="x/y?a=1&amp;b=2">c</a>'),
        ("<a\nhref\n=\n'x'/title=y>c", '<a href="x" title="y">c</a>'),
    ],
)  # fmt: skip
def test_a_document_is_written_with_every_tag_in_its_place(html: str, expected: str) -> None:
    written = well_formed(html, ALLOWED)

    assert written == expected
    check(written)


_SOUP = st.lists(
    st.sampled_from([f"<{tag}>" for tag in ALLOWED])
    | st.sampled_from([f"</{tag}>" for tag in ALLOWED])
    | st.sampled_from(["<a href='>'", "<a x=", "'", '"', ">", "<", "&", "&amp;", "&#", ";", "<!--", "-->", "<script>",
                       "</script>", "<div/>", "<svg>", "<x ", "word", " ", "\n", "1"]),
    max_size=60,
).map("".join)  # fmt: skip


@given(_SOUP | st.text(max_size=60))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_soup_of_tags_is_written_well_formed_with_all_its_words(html: str) -> None:
    written = well_formed(html, ALLOWED)

    check(written)
    assert words(written) == words(html)
    assert well_formed(written, ALLOWED) == written


@pytest.mark.parametrize("piece", ["<div>", "<b>", "<div/>", "<div></b>", "<div a='<'>", "<p><b><div>", "<table><td>",
                                   "<ul><li>", "<table><tr><td><div></table>", "<font a=1><p>"])  # fmt: skip
def test_nesting_is_bounded_and_the_words_at_the_bottom_are_kept(piece: str) -> None:
    written = well_formed(piece * 2000 + "the words", ALLOWED)

    assert check(written).deepest <= DEPTH_MAX + 2
    assert "the words" in written


def test_styles_that_reach_over_paragraphs_do_not_multiply() -> None:
    html = "<p>" + "".join(f"<font color={n}>" for n in range(500)) + "</p>" + "<p>x</p>" * 5000

    assert len(well_formed(html, ALLOWED)) < 2 * len(html)


@pytest.mark.parametrize(
    "piece",
    ["<", "<a", "<a ", "<a b=", "<a b='", '<a b="', "</", "<!", "<!--", "<script>", "<script ", "<style></styl", "x=1 ",
     "<a b c", "'", '"', "=", "&", "&#", "&#9", "&amp", "<td>", "</td>", "<p><td>", "</p>", "<div></p>", "<b><i></b>",
     "<a href=x>", "<table>", "</table>", "<tr>x", "<pre>", "\n", " ", "<br>"],
)  # fmt: skip
def test_very_much_nonsense_ends(piece: str) -> None:
    much = piece * (300_000 // len(piece))

    for html in (much, "<a " + much):
        assert len(words_of(html)) <= 2 * len(html)
        assert len(well_formed(html, ALLOWED)) <= 40 * len(html)


def test_after_very_many_tags_words_are_kept_and_tags_are_not() -> None:
    html = "<b>a</b>" * TAGS_MAX + " the <i>end</i> of it < 5 &amp; more"

    assert words_of(html).split()[-8:] == ["the", "end", "of", "it", "<", "5", "&", "more"]
    assert "<b>" not in words_of(html)
