"""Where each key of a TOML document stands: path → line.

`tomllib` gives values without places. This reads a document that tomllib has accepted already, so it only has to step
over values, not to judge them: strings of four kinds, arrays, inline tables, anything else up to its end. TOML 1.0.0;
nesting is bounded by what tomllib could read."""

import re
from contextlib import suppress

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*+")
_SPACE = re.compile(r"[ \t]*+")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"((?:[^"\\\n]|\\.)*+)"')
_LITERAL = re.compile(r"'([^'\n]*)'")
_LONG = {
    '"""': re.compile(r'"""(?:[^"\\]|\\.|"(?!""))*+"""(?:"{0,2})', re.S),
    "'''": re.compile(r"'''.*?'''(?:'{0,2})", re.S),
}
_OTHER = re.compile(r"[^,\]}\n#]*")


class _Scan:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.line, self.counted = text, 0, 1, 0
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}

    def here(self) -> int:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.line

    def skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise ValueError("not a TOML document")
        self.at = found.end()
        return found[found.lastindex or 0]

    def key(self) -> Path:
        parts: list[str] = []
        while True:
            self.skip(_SPACE)
            quote = self.text[self.at : self.at + 1]
            parts.append(self.skip({'"': _BASIC, "'": _LITERAL}.get(quote, _BARE)))
            self.skip(_SPACE)
            if self.text[self.at : self.at + 1] != ".":
                return tuple(parts)
            self.at += 1

    def note(self, base: Path, key: Path, line: int) -> Path:
        """Remembers the line of every part of a dotted key; arrays of tables mean their last one."""
        path = base
        for part in key:
            path = (*path, part)
            self.lines.setdefault(path, line)
            if path in self.counts:
                path = (*path, self.counts[path])
        return path

    def document(self) -> None:
        table: Path = ()
        while True:
            self.skip(_BLANK)
            if self.at >= len(self.text):
                return
            line = self.here()
            if self.text.startswith("[[", self.at):
                self.at += 2
                key = self.key()
                above = self.note((), key[:-1], line)
                path: Path = (*above, key[-1])
                self.lines.setdefault(path, line)
                self.counts[path] = self.counts.get(path, -1) + 1
                table = (*path, self.counts[path])
                self.lines.setdefault(table, line)
                self.at += 2
            elif self.text[self.at] == "[":
                self.at += 1
                table = self.note((), self.key(), line)
                self.at += 1
            else:
                self.pair(table)

    def pair(self, table: Path) -> None:
        line = self.here()
        path = self.note(table, self.key(), line)
        self.at += 1  # the =
        self.skip(_SPACE)
        self.value(path)

    def value(self, path: Path) -> None:
        three = self.text[self.at : self.at + 3]
        first = three[:1]
        if three in _LONG:
            self.skip(_LONG[three])
        elif first in {'"', "'"}:
            self.skip(_BASIC if first == '"' else _LITERAL)
        elif first in {"[", "{"}:
            self.at += 1
            index = 0
            while True:
                self.skip(_BLANK)
                if self.text[self.at] in "]}":
                    self.at += 1
                    return
                if first == "{":
                    self.pair(path)
                else:
                    self.lines[(*path, index)] = self.here()
                    self.value((*path, index))
                    index += 1
                self.skip(_BLANK)
                if self.text[self.at] == ",":
                    self.at += 1
        else:
            self.skip(_OTHER)


def find_lines(text: str) -> dict[Path, int]:
    """The line of every key, table and array item, counted from 1. Escapes in quoted keys are kept as written.

    What is found before a surprise is returned: a place is a courtesy, never a reason to fail."""
    scan = _Scan(text)
    with suppress(ValueError, IndexError, RecursionError):
        scan.document()
    return scan.lines
