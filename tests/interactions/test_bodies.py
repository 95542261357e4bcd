"""Bodies: HTML to words, HTML that is safe to show, and the line of preview."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.bodies import (
    AMPERSANDS_MAX,
    EXCERPT_CHARS,
    HTML_CHARS_MAX,
    TEXT_CHARS_MAX,
    excerpt,
    html_to_quoted_text,
    html_to_text,
    html_to_texts,
    safe_html,
    tidy,
)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("", ""),
        ("plain words", "plain words"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<div><div>one</div></div>\n<div>two</div>", "one\ntwo"),
        ("one<br>two<br/><br>three", "one\ntwo\n\nthree"),
        ("<h1>Title</h1>text", "Title\n\ntext"),
        ("<ul><li>one<li>two</ul>three", "one\ntwo\nthree"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<p>  many \n\t spaces&nbsp; here </p>", "many spaces here"),
        ("<b>one</b><i>two</i> <u>three</u>", "onetwo three"),
        ("<pre>one\ntwo</pre>", "one\ntwo"),
        ("one\ntwo", "one two"),
        ("one<br><p>two", "one\n\ntwo"),
        ("&lt;b&gt; &amp;amp; &euro; &#8364;", "<b> &amp; € €"),
        ("<head><title>T</title><style>p{}</style></head><body>text<script>x()</script></body>", "text"),
        ("one<!-- hidden -->two", "onetwo"),
        ("<o:p>one</o:p>", "one"),
        ("<textarea>one</textarea><xmp>two</xmp><noscript>three</noscript>", "onetwothree"),
        ("a < b > c", "a < b > c"),
        ("<p>never closed <b", "never closed"),
    ],
)
def test_html_becomes_the_words_a_person_would_see(html: str, expected: str) -> None:
    assert html_to_text(html) == expected


@pytest.mark.parametrize(
    "html",
    [
        "&#" + "9" * 5000 + ";x",
        "&#x" + "F" * 5000 + ";x",
        "&#xD800;&#0;x",
        "<" * 10_000 + " x",
        "<div>" * 100_000 + "x",
        "<div/>" * 100_000 + "x",
        "<div></b>" * 100_000 + "x",
        "<div a='<'>" * 100_000 + "x",
        "<a " + "b=c " * 100_000 + ">x",
        "<p>" + "<font color=1>" * 500 + "</p>" + "<p>x</p>" * 20_000,
        "&" * 500_000 + "x",
        "<table><td>" * 50_000 + "x",
    ],
    ids=lambda html: f"{html[:12]} … {len(html)}",
)
def test_a_hostile_body_is_read_to_its_end_and_shown(html: str) -> None:
    assert html_to_text(html).endswith("x")
    assert len(safe_html(html)) < 20 * len(html)


def test_a_body_beyond_the_bounds_is_cut() -> None:
    assert html_to_text("a" * (HTML_CHARS_MAX + 10)) == "a" * TEXT_CHARS_MAX
    assert len(safe_html("a" * (HTML_CHARS_MAX + 10))) == HTML_CHARS_MAX
    assert safe_html("&amp;" * (AMPERSANDS_MAX + 1)).count("&amp;") == AMPERSANDS_MAX / 5


@given(st.text())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_text_is_a_body(html: str) -> None:
    assert html_to_text(html) == tidy(html_to_text(html))
    assert isinstance(safe_html(html), str)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>one <b>two</b></p>", "<p>one <b>two</b></p>"),
        ('<a href="https://x.example/?a=1&amp;b=2">x</a>',
         '<a href="https://x.example/?a=1&amp;b=2" rel="noopener noreferrer nofollow">x</a>'),
        ('<a href="mailto:a@b.example">x</a>', '<a href="mailto:a@b.example" rel="noopener noreferrer nofollow">x</a>'),
        ('<img src="cid:1" alt="x">', '<img src="cid:1" alt="x">'),
        ('<a href="HTTPS://x.example/">x</a>', '<a href="HTTPS://x.example/" rel="noopener noreferrer nofollow">x</a>'),
        ('<img src="data:image/png;base64,AA==">', '<img src="data:image/png;base64,AA==">'),
        ("<table><tr><td colspan=2>x</td></tr></table>",
         "<table><tbody><tr><td colspan=\"2\">x</td></tr></tbody></table>"),
        ("<blockquote>quoted</blockquote>", "<blockquote>quoted</blockquote>"),
        ("<pre>one\n two</pre>", "<pre>one\n two</pre>"),
        ("a &lt;b&gt; &amp; c", "a &lt;b&gt; &amp; c"),
    ],
)  # fmt: skip
def test_harmless_html_is_shown_as_it_is(html: str, expected: str) -> None:
    assert safe_html(html) == expected


@pytest.mark.parametrize(
    "html",
    [
        "<script>evil()</script>",
        "<SCRIPT SRC=//x.example/evil.js></SCRIPT>",
        "<img src=x onerror=evil()>",
        "<img src='https://x.example/evil.gif'>",
        "<img src=//x.example/evil.gif>",
        "<img srcset='https://x.example/evil.gif 1x'>",
        "<a href='javascript:evil()'>x</a>",
        "<a href='java\nscript:evil()'>x</a>",
        "<a href='&#106;avascript:evil()'>x</a>",
        "<a href='data:text/html,evil'>x</a>",
        "<a href=vbscript:evil()>x</a>",
        "<a href=/evil>x</a>",
        "<a href=evil>x</a>",
        "<a href=//x.example/evil>x</a>",
        "<iframe src=https://x.example/evil></iframe>",
        "<iframe srcdoc='<script>evil()</script>'></iframe>",
        "<object data=evil></object><embed src=evil>",
        "<form action=https://x.example/evil><input name=evil><button>x</button></form>",
        "<link rel=stylesheet href=http://127.0.0.1/evil>",
        "<style>@import 'https://x.example/evil'</style>",
        "<p style='background:url(https://x.example/evil)'>x</p>",
        "<table background='https://x.example/evil'><tr><td>x</table>",
        "<meta http-equiv=refresh content='0;url=https://x.example/evil'>",
        "<base href=https://x.example/evil>",
        "<svg><filter><feImage href='https://x.example/evil'/></filter></svg>",
        "<svg onload=evil()>",
        "<svg><style><img src=x onerror=evil()></style></svg>",
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=evil()&gt;'>",
        "<xmp><img src=x onerror=evil()></xmp>",
        "<noscript><p title='</noscript><img src=x onerror=evil()>'></noscript>",
        "<textarea></textarea><img src=x onerror=evil()>",
        "<div hx-get=/evil hx-trigger=load x-data=evil data-on-load=evil>x</div>",
        "<p id=evil name=evil class=evil>x</p>",
        "<video poster=https://x.example/evil><source src=evil></video>",
        "<!--><img src=x onerror=evil()>-->",
        "<a href='x' target=evil>x</a>",
        "<img alt='x' title='\"><script>evil()</script>'>",
        "<<script>script>evil()<</script>/script>",
    ],
)
def test_hostile_html_does_nothing_when_shown(html: str) -> None:
    shown = safe_html(html)

    # What is left of it may only be text.
    tags = "".join(one.split(">", 1)[0] for one in shown.split("<")[1:])
    assert "evil" not in tags.replace("&lt;", "").split("alt=")[0]
    for name in (
        "script",
        "iframe",
        "object",
        "embed",
        "form",
        "input",
        "link",
        "style",
        "meta",
        "base",
        "svg",
        "math",
    ):
        assert f"<{name}" not in shown


@given(
    st.lists(
        st.sampled_from(["<p>", "</p>", "<b>", "</b>", "<a href='x:y'>", "</a>", "<table>", "<tr>", "<td>", "</table>", "<img ",
                         "src=cid:1", ">", "<svg>", "<math>", "<style>", "</style>", "<!--", "-->", "<noscript>", "'", '"',
                         "<title>", "</title>", "<xmp>", "&lt;", "&", "x", " "]),
        max_size=40,
    ).map("".join)
)  # fmt: skip
@settings(max_examples=150, deadline=None, derandomize=True)
def test_safe_html_is_safe_as_it_is_and_keeps_every_word(html: str) -> None:
    shown = safe_html(html)

    assert safe_html(shown) == shown
    assert "".join(html_to_text(shown).split()) == "".join(html_to_text(html).split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("  one \t two  ", "one two"),
        ("one\n\n\n\n\ntwo", "one\n\ntwo"),
        ("one\n \n\t\n two", "one\n\ntwo"),
        ("one\u00a0\u00a0two\r\nthree", "one two\nthree"),
        ("\n\none\n\n", "one"),
        (" \n" * 100_000 + "x", "x"),
    ],
)
def test_space_is_tidied(text: str, expected: str) -> None:
    assert tidy(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("one\n\n  two\tthree ", "one two three"),
        ("> quoted\n  > also\nmy answer", "my answer"),
        ("> only quoted", ""),
        ("word " * 100, ("word " * 100)[: EXCERPT_CHARS - 1].rstrip() + "…"),
        ("a" * (EXCERPT_CHARS - 2) + " b c", "a" * (EXCERPT_CHARS - 2) + "…"),
        ("a" * 1000, "a" * (EXCERPT_CHARS - 1) + "…"),
        ("a" * EXCERPT_CHARS, "a" * (EXCERPT_CHARS - 1) + "…"),
        ("a" * (EXCERPT_CHARS - 1), "a" * (EXCERPT_CHARS - 1)),
        ("\n" * 1_000_000, ""),
    ],
)
def test_a_preview_is_the_first_words_that_are_not_quoted(text: str, expected: str) -> None:
    assert excerpt(text) == expected


@given(st.text())
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_preview_is_one_short_line(text: str) -> None:
    found = excerpt(text)

    assert len(found) <= EXCERPT_CHARS
    assert found.split() == found.split(" ") or found == ""


@pytest.mark.parametrize(
    "html",
    [
        "<p>a</p><blockquote><p>b</p><blockquote>c</blockquote>d</blockquote>e",
        "a<blockquote>b</blockquote><blockquote>c</blockquote>",
        "<blockquote>a<br>&gt; b</blockquote></blockquote>c",
        "<ul><li>a<blockquote>b</ul>c",
        "\ue000a<blockquote>b\ue001</blockquote>",
        "no quotes",
    ],
)
def test_marks_of_quotes_leave_the_words_as_they_are(html: str) -> None:
    plain, marked = html_to_texts(html)

    assert plain.split() == html_to_text(html).replace("\ue000", " ").replace("\ue001", " ").split()
    assert marked.replace(">", " ").split() == plain.replace(">", " ").split()


def test_lines_of_quotes_are_marked() -> None:
    assert html_to_quoted_text("a<blockquote>b<br><br>c</blockquote>d") == "a\n\n> b\n>\n> c\n>\nd"
