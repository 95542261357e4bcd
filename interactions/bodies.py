"""Bodies: HTML to text, HTML made safe to show, and the line of preview.

HTML is read in one pass (`markup`), since the libraries that build trees need more than linear time on what is nested
deeply or broken on purpose. What is shown goes through the cleaner after that: two fences, and the second finds nothing
left to mend.
"""

import re

import nh3

from interactions.markup import QUOTE, UNQUOTE, well_formed, words_of

HTML_CHARS_MAX = 2_000_000
TEXT_CHARS_MAX = 1_000_000
AMPERSANDS_MAX = 100_000
EXCERPT_CHARS = 160

_SPACES = re.compile(r"[ \t\r\f\v\u00a0]+")
_BLANKS = re.compile(r"\n\s*\n\s*")
_SAFE_TAGS = frozenset(
    "a abbr b blockquote br center code col colgroup dd del div dl dt em font h1 h2 h3 h4 h5 h6 hr i img ins li ol p "
    "pre q s small span strike strong sub sup table tbody td tfoot th thead tr u ul".split()
)
_SAFE_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan", "align", "valign", "width"},
    "th": {"colspan", "rowspan", "align", "valign", "width"},
    "table": {"border", "cellpadding", "cellspacing", "width", "align"},
    "font": {"color", "size"},
}
_ALLOWED = {tag: frozenset(_SAFE_ATTRIBUTES.get(tag, ())) for tag in _SAFE_TAGS}


def html_to_text(html: str) -> str:
    """The words of an HTML body, a line for each paragraph, row or list item. Never raises."""
    return tidy(words_of(html[:HTML_CHARS_MAX]))


def html_to_quoted_text(html: str) -> str:
    """The same words, and the lines of what the HTML marks as a quote begin with `> `. Never raises."""
    return html_to_texts(html)[1]


def html_to_texts(html: str) -> tuple[str, str]:
    """The words of an HTML body without marks and with marks of its quotes, in one reading. Never raises."""
    if not has_quotes(html):
        text = html_to_text(html)
        return text, text
    depth = 0
    plain: list[str] = []
    marked: list[str] = []
    for line in tidy(words_of(html[:HTML_CHARS_MAX], with_quotes=True)).split("\n"):
        if line in (QUOTE, UNQUOTE):
            depth = max(depth + (1 if line == QUOTE else -1), 0)
            continue
        plain.append(line)
        marked.append(f"> {line}".rstrip() if depth else line)
    return _BLANKS.sub("\n\n", "\n".join(plain)).strip(), "\n".join(marked)


def has_quotes(html: str) -> bool:
    """Whether the HTML may mark something as a quote."""
    return "<blockquote" in html or "<BLOCKQUOTE" in html


def tidy(text: str) -> str:
    """Single spaces, at most one empty line in a row, no space at either end."""
    lines = [_SPACES.sub(" ", line).strip() for line in text[:TEXT_CHARS_MAX].split("\n")]
    return _BLANKS.sub("\n\n", "\n".join(lines)).strip()


def excerpt(text: str, chars: int = EXCERPT_CHARS) -> str:
    """One line of preview: the first words that are not quoted."""
    words: list[str] = []
    length = 0
    for line in text[: chars * 40].split("\n"):
        if line.lstrip().startswith(">"):
            continue
        for word in line.split():
            words.append(word[:chars])
            length += len(words[-1]) + 1
            if length > chars:
                return " ".join(words)[: chars - 1].rstrip() + "…"
    return " ".join(words)


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Pictures come from the mail itself or not at all: nothing is loaded from elsewhere. Links lead out of our pages;
    one without a scheme would lead into them."""
    if tag == "img" and name == "src" and not value.lower().startswith(("cid:", "data:image/")):
        return None
    if name == "href" and not value.lower().startswith(("http://", "https://", "mailto:", "tel:")):
        return None
    return value


def safe_html(html: str) -> str:
    """HTML that runs nothing, loads nothing and cannot imitate the page it is shown in."""
    if html.count("&") > AMPERSANDS_MAX:  # the cleaner takes 5 µs for each
        html = html[:AMPERSANDS_MAX]
    return nh3.clean(
        well_formed(html[:HTML_CHARS_MAX], _ALLOWED),
        tags=set(_SAFE_TAGS),
        clean_content_tags={"script", "style", "title"},
        attributes=_SAFE_ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        link_rel="noopener noreferrer nofollow",
    )
