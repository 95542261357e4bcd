"""Bodies: HTML to text, HTML made safe to show, and the line of preview.

Both libraries need more than linear time on deeply nested markup (200,000 open `div` hold a core for 40 s), so size and
depth are looked at first, in one pass; what is beyond them is reduced to its words by removing the tags.
"""

import re
from html import unescape

import nh3
from selectolax.lexbor import LexborHTMLParser

HTML_CHARS_MAX = 2_000_000
HTML_DEPTH_MAX = 512
TEXT_CHARS_MAX = 1_000_000
EXCERPT_CHARS = 160

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})[^<>]{0,4000}?(/?)>")
_ANY_TAG = re.compile(r"<[^<>]{0,10000}>")
_HIDDEN = re.compile(r"<(script|style|head|title)\b[^<]{0,200000}", re.IGNORECASE)
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_BLOCKS = frozenset("p div tr table ul ol li h1 h2 h3 h4 h5 h6 blockquote pre section article header footer hr".split())
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


def is_tame(html: str) -> bool:
    """Whether size and nesting are within what the libraries do in linear time."""
    if len(html) > HTML_CHARS_MAX:
        return False
    depth = deepest = 0
    for closing, name, alone in _TAG.findall(html):
        if closing:
            depth = max(depth - 1, 0)
        elif not alone and name.lower() not in _VOID:
            depth += 1
            deepest = max(deepest, depth)
    return deepest <= HTML_DEPTH_MAX


def html_to_text(html: str) -> str:
    """The words of an HTML body, a line for each paragraph, row or list item. Never raises."""
    if not is_tame(html):
        return _words_only(html[:HTML_CHARS_MAX])
    tree = LexborHTMLParser(html)
    tree.strip_tags(["script", "style", "head", "title", "noscript"])
    if tree.body is None:
        return _words_only(html)
    out: list[str] = []
    for node in tree.body.traverse(include_text=True):
        if node.tag == "-text":
            out.append(_SPACES.sub(" ", (node.text_content or "").replace("\n", " ")))
        elif node.tag == "br":
            out.append("\n")
        elif node.tag in _BLOCKS:
            out.append("\n\n" if node.tag in ("p", "h1", "h2", "h3", "blockquote") else "\n")
        elif node.tag in ("td", "th"):
            out.append(" ")
    return tidy("".join(out))


def _words_only(html: str) -> str:
    return tidy(unescape(_ANY_TAG.sub(" ", _HIDDEN.sub(" ", html))))


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
    """Pictures come from the mail itself or not at all: nothing is loaded from elsewhere."""
    if tag == "img" and name == "src" and not value.startswith(("cid:", "data:image/")):
        return None
    return value


def safe_html(html: str) -> str:
    """HTML that runs nothing, loads nothing and cannot imitate the page it is shown in."""
    if not is_tame(html):
        return ""
    return nh3.clean(
        html,
        tags=set(_SAFE_TAGS),
        clean_content_tags={"script", "style", "title"},
        attributes=_SAFE_ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        link_rel="noopener noreferrer nofollow",
    )
