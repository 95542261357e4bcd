"""HTML of strangers, read in one pass: its words, and the same HTML again with nothing left to guess.

Parsers of HTML mend what is broken, and mending costs more than linear time: 20,000 `<div/>` in a row, a hundred
thousand attributes, or a few hundred `<font>` that reach over paragraphs hold a core for seconds. So nothing here builds
a tree. `tokens` cuts the text into tags and words; `words_of` keeps the words; `well_formed` writes a document anew from
tags that are known to be harmless, with every tag closed in its order, nesting bounded and all text escaped. What reads
it next has nothing to mend and nothing to misunderstand.

Tags are cut off where they are unknown, too deep, out of place or after TAGS_MAX others; words never are, except those
of scripts, style sheets and titles.

Limits: an end tag closes what was opened within the NEAR last open tags; beyond that it is passed over.
"""

import re
from collections.abc import Iterator, Mapping
from html import escape, unescape
from typing import NamedTuple

DEPTH_MAX = 200
STYLES_MAX = 24
TAGS_MAX = 100_000  # a long newsletter has 5,000
NEAR = 64
QUOTE, UNQUOTE = "\ue000", "\ue001"  # of the private use area: no text of a mail has them

_OPENING = re.compile(r"<(?=[a-zA-Z/!?])")
_NAME = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,40})")
_REST = re.compile(r"(?>(?:[^>=\"']+|=\s*+(?:\"[^\"]*\"|'[^']*')|[=\"'])*)")
_ATTRIBUTE = re.compile(r"(?<![^\s/\"'])([^\s/>=\"']+)\s*+=\s*+(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>][^\s>]*))")
_ANY_TAG = re.compile(r"<[^<>]*>")
_NUMBER_TOO_LONG = re.compile(r"&#[0-9]{8,};?")
_COMMENT_END = re.compile(r"--!?>")
_SPACES = re.compile(r"\s+")
_OWN_INDENT = re.compile(
    r"border:\s{0,9}none", re.IGNORECASE
)  # how the author's own words are indented (Gmail, 2026-11)

_UNSEEN = frozenset({"script", "style", "title"})
_VOID = frozenset({"br", "hr", "img", "col"})
_STYLES = frozenset("a abbr b code del em font i ins q s small span strike strong sub sup u".split())
_TABLE_PARTS = frozenset("caption colgroup col thead tbody tfoot tr td th".split())
_TABLE_FRAMES = frozenset("table thead tbody tfoot tr colgroup".split())
_CELLS = frozenset({"td", "th", "caption"})
_SCOPES = _CELLS | {"table"}
_LISTS = frozenset({"ul", "ol", "dl"})
_BLOCKS = frozenset("blockquote center dd div dl dt h1 h2 h3 h4 h5 h6 hr li ol p pre table ul".split())
_BREAKS = _BLOCKS | frozenset("tr section article header footer address form fieldset figure main nav aside".split())
_PARAGRAPHS = frozenset("p h1 h2 h3 blockquote".split())
_ENDED_BY = {
    "li": ("li",), "dd": ("dd", "dt"), "dt": ("dd", "dt"), "a": ("a",), "tr": ("tr",), "td": ("td", "th"),
    "th": ("td", "th"), "thead": ("thead", "tbody", "tfoot"), "tbody": ("thead", "tbody", "tfoot"),
    "tfoot": ("thead", "tbody", "tfoot"),
}  # fmt: skip


class Token(NamedTuple):
    """Words (`text`, still with its entities), a start tag (`name`, `rest`: its attributes) or an end tag."""

    text: str = ""
    name: str = ""
    rest: str = ""
    is_end: bool = False


def tokens(html: str) -> Iterator[Token]:
    """The text from tag to tag. Comments, declarations and the content of what is never seen are left out."""
    place = 0
    count = 0
    while opening := _OPENING.search(html, place):
        start = opening.start()
        count += 1
        if count > TAGS_MAX:
            yield Token(_ANY_TAG.sub(" ", html[place:]))
            return
        if start > place:
            yield Token(html[place:start])
        found = _NAME.match(html, start)
        if not found:
            place = _after_oddity(html, start)
            continue
        rest = _REST.match(html, found.end())
        end = rest.end() if rest else found.end()
        name = found.group(2).lower()
        place = end + 1
        yield Token("", name, html[found.end() : end], bool(found.group(1)))
        if name in _UNSEEN and not found.group(1):
            place = _after_unseen(html, place, name)
    if place < len(html):
        yield Token(html[place:])


def _after_oddity(html: str, start: int) -> int:
    """Where reading goes on after what begins like a tag and is none: a comment, a declaration, an end of nothing."""
    if html.startswith("<!--", start):
        found = _COMMENT_END.search(html, start + 2)
        return found.end() if found else len(html)
    end = html.find(">", start)
    return end + 1 if end >= 0 else len(html)


def _after_unseen(html: str, place: int, name: str) -> int:
    end = re.compile(rf"</{name}(?![^\s/>])", re.IGNORECASE).search(html, place)
    return end.start() if end else len(html)


def _plain(text: str) -> str:
    """Text with its entities read. The library fails on numbers of thousands of digits."""
    return unescape(_NUMBER_TOO_LONG.sub("\ufffd", text)) if "&" in text else text


def words_of(html: str, with_quotes: bool = False) -> str:
    """The words, with a line break around each block, row or item, and an empty line around a paragraph. With quotes:
    QUOTE and UNQUOTE stand on lines of their own around each one."""
    if with_quotes:
        html = html.replace(QUOTE, " ").replace(UNQUOTE, " ")
    out: list[str] = []
    kept = 0
    gap = 0  # line breaks since the last words
    for token in tokens(html):
        name = token.name
        wanted = 2 if name in _PARAGRAPHS else 1 if name in _BREAKS else 0
        if not name:
            text = _plain(token.text)
            text = text if kept else _SPACES.sub(" ", text)
            if kept or not gap or not text.isspace():
                out.append(text)
                gap = 0
        elif name == "br" and not token.is_end:
            out.append("\n")
            gap += 1
        elif name in _CELLS:
            out.append(" ")
        elif wanted > gap:
            out.append("\n" * (wanted - gap))
            gap = wanted
        if with_quotes and name == "blockquote" and not _OWN_INDENT.search(token.rest[:400]):
            out.append(f"{UNQUOTE if token.is_end else QUOTE}\n")
        if name == "pre":
            kept = max(kept + (-1 if token.is_end else 1), 0)
    return "".join(out)


def well_formed(html: str, allowed: Mapping[str, frozenset[str]]) -> str:
    """The document written anew with the allowed tags, each with its allowed attributes."""
    writer = _Writer(allowed)
    for token in tokens(html):
        if not token.name:
            writer.text(_plain(token.text))
        elif token.name in allowed:
            if token.is_end:
                writer.close(token.name)
            else:
                writer.open(token.name, token.rest)
    return writer.finish()


class _Writer:
    """Writes tags so that each is closed in its order."""

    def __init__(self, allowed: Mapping[str, frozenset[str]]) -> None:
        self._allowed = allowed
        self._out: list[str] = []
        self._open: list[str] = []
        self._styles = 0

    def text(self, text: str) -> None:
        if self._open and self._open[-1] in _TABLE_FRAMES:
            if text.isspace():
                return
            self._enter_cell()
        self._out.append(escape(text, quote=False))

    def open(self, name: str, rest: str) -> None:
        if name in _BLOCKS:
            self.close("p")
        for other in _ENDED_BY.get(name, ()):
            self.close(other)
        if name in _TABLE_PARTS:
            if not self._enter_frame(name):
                return
        elif self._open and self._open[-1] in _TABLE_FRAMES:
            self._enter_cell()
        if name in _VOID:
            self._out.append(f"<{name}{self._attributes(name, rest)}>")
        elif len(self._open) < DEPTH_MAX and (name not in _STYLES or self._styles < STYLES_MAX):
            self._push(name, self._attributes(name, rest))

    def close(self, name: str) -> None:
        near = self._open[-NEAR:]
        if name not in near:
            return
        back = near[::-1].index(name)
        within = near[len(near) - back :]
        if name in _TABLE_PARTS:
            bounds = frozenset({"table"})
        elif name == "table":
            bounds = frozenset()
        else:
            bounds = _SCOPES | _LISTS if name in ("li", "dd", "dt") else _SCOPES
        if bounds.isdisjoint(within):
            for _ in range(back + 1):
                self._pop()

    def finish(self) -> str:
        while self._open:
            self._pop()
        return "".join(self._out)

    def _enter_frame(self, name: str) -> bool:
        """Makes the place where a part of a table may stand; False where there is no table around."""
        top = self._open[-1] if self._open else ""
        if top == "colgroup" and name != "col":
            self._pop()
            top = self._open[-1]
        if name in ("td", "th") and top in ("table", "thead", "tbody", "tfoot"):
            self._push("tr", "")
            return True
        if name in ("td", "th"):
            return top == "tr"
        if name == "col":
            return top in ("table", "colgroup")
        return top == "table" or (name == "tr" and top in ("thead", "tbody", "tfoot"))

    def _enter_cell(self) -> None:
        if self._open[-1] == "colgroup":
            self._pop()
        if self._open[-1] != "tr":
            self._push("tr", "")
        self._push("td", "")

    def _push(self, name: str, attributes: str) -> None:
        self._out.append(f"<{name}{attributes}>")
        self._open.append(name)
        self._styles += name in _STYLES

    def _pop(self) -> None:
        name = self._open.pop()
        self._out.append(f"</{name}>")
        self._styles -= name in _STYLES

    def _attributes(self, name: str, rest: str) -> str:
        wanted = self._allowed[name]
        if not wanted or "=" not in rest:
            return ""
        values: dict[str, str] = {}
        for found in _ATTRIBUTE.finditer(rest):
            attribute = found.group(1).lower()
            if attribute in wanted and attribute not in values:
                values[attribute] = found.group(2) or found.group(3) or found.group(4) or ""
        return "".join(f' {attribute}="{escape(_plain(value))}"' for attribute, value in values.items())
