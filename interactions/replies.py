"""The new words of a reply, apart from what it quotes and from its signature (RFC 3676 §4.3, §4.5).

One pass over the lines, each looked at in its first characters only; nothing here looks back, so hostile text costs no
more than honest text of its length:

    marked      lines with `>`, and the line before that says who wrote them
    unmarked    everything from a divider, a block of headers or a sure attribution on, where nothing is marked after it
    known       lines that stand in the mail that is answered, where it is at hand, or in the quotes of the HTML
    signature   what follows a line `-- ` at the end

A customer's lost line is worse than a quote left over: a cut that would leave nothing is not made, and in the end a
mail that says something has new words, if need be all of them. The whole text is kept beside them in any case.

Where these rules find nothing in a mail that answers another, `email_reply_extractor` is asked too, if the text is small
and tame: it knows more ways of quoting, but needs more than linear time for a few hundred lines beginning with "On".

Limits: answers written in colour within an unmarked quote are part of the quote, unless the mail that is answered is at
hand (`without_old`): then they are the lines of the quote that it does not have.
"""

import re
from collections.abc import Iterator, Sequence

from email_reply_extractor import extract_new_text

from interactions.attributions import (
    JOINED_MAX,
    Sure,
    attribution,
    block_end,
    is_divider,
    is_header_block,
    is_rule,
    may_begin,
)
from interactions.bodies import has_quotes, html_to_quoted_text

CHARS_MAX = 60_000
LINES_MAX = 3_000
OLD_CHARS_MAX = 16_000
LOOKS_MAX = 60  # lines that are asked whether a quote begins
SIGNATURE_LINES_MAX = 12
KNOWN_LETTERS_MIN = 12
LETTERS_BESIDE_LINK_MIN = 4
KNOWN_RUN_LETTERS_MIN = 40
CHARS_OF_LINK_MAX = 300
SHINGLE_WORDS = 6
LOOKS_IN_TEXT_MAX = 4
TAME_CHARS_MAX = 2_500
TAME_LINES_MAX = 150
COSTLY_MAX = 8

_QUOTED = re.compile(r"[ \t\ufeff]{0,20}(?:>|\|\s?>)")
_FRAMED = re.compile(r"<\s*$")
_NOT_LETTERS = re.compile(r"[\W_]+")
_LETTER = re.compile(r"[^\W_]")
_MID_LINE = re.compile(r"(?<=\w)(?:\s?-{2,10})?\s(?=on (?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6},? )", re.IGNORECASE)
_PIECE_OF_LINK = re.compile(r"\(?(?=\S{10})\S*[/=]\S*\)?(?:\s>)?")
_LINK = re.compile(r"<?https?://\S*")
_SENTENCE_END = (".", "?", "!", ":", ";", "…")
_UNTAME = ("-" * 60, "_" * 60, "<" * 20)
_COSTLY = ("On", "wrote", "Sent from", "From:", "<", "--", "__")


def new_words(text: str, html: str | None = None, parent: str | None = None, is_reply: bool = False) -> str:
    """What the author of a mail wrote. `html` is read where there is no text, or where the text marks no quote; `parent`
    is the text of the mail that is answered. Never empty where there are words."""
    if not text.strip() and html:
        text = html_to_quoted_text(html)
    whole = text.strip()
    head, rest = _head_of(whole)
    lines = head.split("\n")
    kept, is_found, cut_at = _unquoted(lines)
    if rest and cut_at == len(lines):
        kept.append(rest)
    if not is_found and is_reply and _is_tame(whole, lines):
        found = extract_new_text(whole).text
        if found and _bare(whole).startswith(_bare(found)):  # it may cut off an end, and nothing else
            kept = found.split("\n")
    if not is_found and not parent and html and has_quotes(html):
        quoted = html_to_quoted_text(html[:CHARS_MAX]).split("\n")
        parent = "\n".join(line for line in quoted if line.startswith(">"))
    if parent and parent.strip():
        known = _Known(parent[:CHARS_MAX])
        kept = known.left_of(kept) + known.answers_in(lines[cut_at:])
    unsigned = _unsigned(kept) if not rest else kept
    if len(unsigned) == len(lines) and not rest:
        return whole
    return _tidy(unsigned) or _tidy(kept) or whole


def without_old(said: str, older: str, whole: str = "") -> str:
    """New words without those that stand in the mail that is answered, and with those that were written between its lines
    where nothing marks them; `whole` is all of the text they were taken from. Never empty where `said` is not."""
    if len(said) > OLD_CHARS_MAX:
        return said
    lines = said.split("\n")
    known = _Known(older[:OLD_CHARS_MAX])
    kept = known.left_of(lines)
    between = known.answers_in(_after_last(lines, whole[: 2 * OLD_CHARS_MAX]).split("\n"))
    return said if len(kept) == len(lines) and not between else _tidy([*kept, *between]) or said


def _after_last(lines: Sequence[str], whole: str) -> str:
    """What follows the last of these lines in the text that they were taken from."""
    last = lines[-1].strip()
    at = whole.rfind(last) if last else -1
    return whole[at + len(last) :] if at >= 0 else ""


def _head_of(text: str) -> tuple[str, str]:
    """The lines that are looked at, and those after them, which are part of the answer if nothing before ends it."""
    end = text.rfind("\n", 0, CHARS_MAX) if len(text) > CHARS_MAX else len(text)
    end = CHARS_MAX if end < 0 else end
    if text.count("\n", 0, end) >= LINES_MAX:
        end = sum(len(line) + 1 for line in text[:end].split("\n", LINES_MAX)[:LINES_MAX]) - 1
    return text[:end], text[end:].lstrip("\n")


def _unquoted(lines: Sequence[str]) -> tuple[list[str], bool, int]:
    """The lines that are no quote, whether there was one, and where they were cut off."""
    quoted = _which_are_quoted(lines)
    begins = may_begin(lines)
    kept: list[str] = []
    looks = 0
    is_found = any(">" in line and line.lstrip().startswith(">") for line in lines)
    n = 0
    while n < len(lines):
        line = lines[n]
        if quoted[n] or (n and quoted[n - 1] and _is_broken_quote(lines, quoted, n)):
            n += 1
            continue
        if not line.strip():
            kept.append(line)
            n += 1
            continue
        if looks >= LOOKS_MAX or not begins[n]:
            kept.append(line)
            n += 1
            continue
        looks += 1
        before, rest = _split_mid_line(line)
        count, sure = attribution([rest, *lines[n + 1 : n + JOINED_MAX]], 0)
        is_cut = is_divider(line)
        after = _next_filled(lines, n + max(count, 1))
        if is_cut and after is not None:
            after = _next_filled(lines, after + attribution(lines, after)[0])
        if (count or is_cut) and after is not None and quoted[after]:
            is_found = True
            kept.append(before)
            n = after
            continue
        is_block = is_header_block(lines, n)
        if (is_cut or sure is Sure.STRONG or is_block) and _says_something([*kept, before]):
            return _without_rule([*kept, before]), True, n + 1
        end = max(block_end(lines, n) if is_block else n, n + 1)  # a mail that is only sent on begins with a block
        kept.extend(lines[n:end])
        n = end
    return kept, is_found, len(lines)


def _is_quoted(line: str) -> bool:
    return _may_be_quoted(line) and not _FRAMED.search(line[-20:])


def _may_be_quoted(line: str) -> bool:
    return ">" in line and _QUOTED.match(line) is not None


def _which_are_quoted(lines: Sequence[str]) -> list[bool]:
    """A line between `>` and `<` is framed, not quoted, unless it stands among quoted ones."""
    quoted = [_may_be_quoted(line) for line in lines]
    for n, line in enumerate(lines):
        if quoted[n] and line.rstrip().endswith("<"):
            quoted[n] = n > 0 and quoted[n - 1]
    return quoted


def _is_broken_quote(lines: Sequence[str], quoted: Sequence[bool], n: int) -> bool:
    """The end of a quoted line that a mail program broke without marking it: within a quote, in the middle of a
    sentence or of a link."""
    if not (n < len(lines) - 1 and quoted[n + 1]) or not lines[n].strip():
        return False
    before, line = lines[n - 1].rstrip(), lines[n].strip()
    if _PIECE_OF_LINK.fullmatch(line[:CHARS_OF_LINK_MAX]):
        return True
    return (
        len(before) >= 60 and not before.endswith(_SENTENCE_END) and len(line) < len(before) and not line[:1].isupper()
    )


def _next_filled(lines: Sequence[str], n: int) -> int | None:
    """The next line that is not empty, if it is near."""
    return next((k for k in range(n, min(n + 4, len(lines))) if lines[k].strip()), None)


def _split_mid_line(line: str) -> tuple[str, str]:
    """What stands before an attribution in the same line, and the attribution; ("", line) where there is none."""
    found = _MID_LINE.search(line[:1000])
    if not found or not attribution([line[found.end() :]], 0)[0]:
        return "", line
    return line[: found.start()], line[found.end() :]


def _says_something(lines: Sequence[str]) -> bool:
    return any(any(letter.isalnum() for letter in line) for line in lines)


def _without_rule(lines: list[str]) -> list[str]:
    """Without a line drawn across, or a divider, at the end."""
    end = len(lines)
    while end and (not lines[end - 1].strip() or is_rule(lines[end - 1]) or is_divider(lines[end - 1])):
        end -= 1
    return lines[:end]


class _Known:
    """An older text, to find what of it stands in a newer one: line by line, and word by word where it was wrapped
    anew."""

    def __init__(self, old: str) -> None:
        self._old = old
        self._words: list[str] | None = None
        self._text = ""
        self._looks = LOOKS_IN_TEXT_MAX
        self._shingles: set[tuple[str, ...]] | None = None
        # Lines that are the same begin and end with the same letter: only of such are all letters looked at.
        self._lines: dict[str, list[str]] = {}
        self._letters: dict[str, set[str]] = {}
        for line in old.split("\n"):
            if ends := _ends(line):
                self._lines.setdefault(ends, []).append(line)

    def _has(self, line: str, ends: str) -> bool:
        return self._has_line(line, ends) or self._has_words(_words(line))

    def _has_line(self, line: str, ends: str) -> bool:
        if ends not in self._lines:
            return False
        if ends not in self._letters:
            self._letters[ends] = {_letters(one) for one in self._lines[ends]}
        return _letters(line) in self._letters[ends]

    def _has_words(self, words: Sequence[str]) -> bool:
        """Whether all that stand beside each other do so in the older text. Of a few lines the beginning is looked for as
        it is, which is less work than taking the text to pieces."""
        if len(words) < SHINGLE_WORDS:
            return False
        if self._words is None:
            self._words = _words(self._old)
            self._text = " ".join(self._words)
        if self._looks:
            self._looks -= 1
            if " ".join(words[:SHINGLE_WORDS]) not in self._text:
                return False
        if self._shingles is None:
            self._shingles = set(_runs(self._words))
        return all(run in self._shingles for run in _runs(words))

    def left_of(self, lines: Sequence[str]) -> list[str]:
        """Without runs of known lines that have some length, and in a text with such a run without single ones too.
        Elsewhere a short line, such as a thank-you or a link, may well be said again."""
        ends = [_ends(line) for line in lines]
        known = [self._has(line, its) for line, its in zip(lines, ends, strict=True)]
        lengths = [len(_letters(line)) if one else 0 for line, one in zip(lines, known, strict=True)]
        run, is_quoting = 0, False
        for its, one, length in zip(ends, known, lengths, strict=True):
            run = run + length if one or not its else 0
            is_quoting = is_quoting or run >= KNOWN_RUN_LETTERS_MIN
        each = zip(lines, known, lengths, strict=True)
        kept = [line for line, one, length in each if not (one and is_quoting and length >= KNOWN_LETTERS_MIN)]
        return kept if _says_something(kept) else list(lines)

    def answers_in(self, quote: Sequence[str]) -> list[str]:
        """What was written into an unmarked quote: the lines from its first known one on that are unknown, if most of
        it is known."""
        filled = [line for line in quote if line.strip() and not _is_quoted(line)]
        filled = [line for line in filled if len(_letters(_LINK.sub("", line))) >= LETTERS_BESIDE_LINK_MIN]
        known = [self._has(line, _ends(line)) for line in filled]
        begin = known.index(True) if True in known else len(known)
        unknown = [line for line, one in zip(filled[begin:], known[begin:], strict=True) if not one]
        if 2 * len(unknown) >= len(known) - begin:
            return []
        if any("://" in line for line in unknown):  # hosts that check links write others in their place
            unlinked = {_letters(_LINK.sub("", line)) for line in self._old.split("\n") if "://" in line}
            unknown = [line for line in unknown if "://" not in line or _letters(_LINK.sub("", line)) not in unlinked]
        return unknown


def _bare(text: str) -> str:
    return "".join(text.split())


def _letters(line: str) -> str:
    return _NOT_LETTERS.sub("", line).casefold()


def _ends(line: str) -> str:
    """The first and the last of the letters of a line; empty where there are none."""
    first = _LETTER.search(line)
    last = _LETTER.search(line[::-1]) if first else None
    return first.group().casefold()[0] + last.group().casefold()[-1] if first and last else ""


def _words(text: str) -> list[str]:
    return text.casefold().replace(">", " ").split()


def _runs(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All words that stand beside each other, so many at a time."""
    return zip(*(words[n:] for n in range(SHINGLE_WORDS)), strict=False)


def _unsigned(lines: Sequence[str]) -> list[str]:
    """Without the signature at the end."""
    filled = 0
    for n in range(len(lines) - 1, -1, -1):
        line = lines[n].rstrip("\r")
        if line == "-- " or (line == "--" and filled <= SIGNATURE_LINES_MAX // 2):
            return list(lines[:n])
        filled += bool(line.strip())
        if filled > SIGNATURE_LINES_MAX:
            break
    return list(lines)


def _tidy(lines: Sequence[str]) -> str:
    """At most one empty line in a row, none at either end."""
    out: list[str] = []
    for line in lines:
        stripped = line.rstrip()
        if stripped or (out and out[-1]):
            out.append(stripped)
    return "\n".join(out).strip("\n").rstrip()


def _is_tame(text: str, lines: Sequence[str]) -> bool:
    """Whether the library surely needs less than 10 ms for it."""
    if len(text) > TAME_CHARS_MAX or len(lines) > TAME_LINES_MAX or any(one in text for one in _UNTAME):
        return False
    return sum(text.count(one) for one in _COSTLY) <= COSTLY_MAX
