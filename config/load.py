"""Reads ringmail.toml: the file and the environment → `Loaded`, or every mistake at once.

    find      which file: --config, RINGMAIL_CONFIG, ./, $XDG_CONFIG_HOME/ringmail/, /etc/ringmail/
    load      the file → Loaded(settings, warnings)
    loads     the same for a text

A few settings of the machine may come from the environment instead (`config.overrides`).

It fails in one way: `Mistakes`, a list of `Mistake`s. Each is one line for a person: file and line, the dotted path
with the name of its table, what is wrong and what is allowed. A syntax error hides the rest, since nothing after it
can be trusted. Secrets are looked up while reading (`config.secrets_at`); no mistake ever shows one.

Standards: TOML 1.0.0; XDG Base Directory.
"""

import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.lines import find_lines
from config.overrides import merged, read_overrides, variable_of
from config.secrets_at import Surroundings
from config.settings import Settings
from config.tables import is_file

FILE_NAME = "ringmail.toml"
CONFIG_BYTES_MAX = 1024 * 1024
MISTAKES_SHOWN_MAX = 200
SECRET_CHARACTERS_MIN = 16
PATH_SAFE = re.compile(r"[A-Za-z0-9._~-]+")  # RFC 3986 §2.3


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong. `path` is dotted (`mailbox[0].poll_seconds`), empty where the whole file is meant;
    `table` is the `name` of the table it stands in, if it has one; `file` is the name of a variable where the
    environment gave the value."""

    path: str
    line: int | None
    message: str
    file: str = FILE_NAME
    table: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        path = f"{self.path} ({self.table})" if self.table else self.path
        return ": ".join(part for part in (place, path, self.message) if part)


class Mistakes(Exception):  # it is what it is called: the mistakes of a configuration
    """The configuration can't be used. `str` gives one line for each mistake."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(f"{len(mistakes)} mistakes in the configuration")
        self.mistakes = tuple(mistakes)

    def __str__(self) -> str:
        lines = [str(mistake) for mistake in self.mistakes[:MISTAKES_SHOWN_MAX]]
        if len(self.mistakes) > MISTAKES_SHOWN_MAX:
            lines.append(f"… and {len(self.mistakes) - MISTAKES_SHOWN_MAX} more")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that holds, and what a person should still look at."""

    settings: Settings
    warnings: tuple[str, ...] = ()


def find(explicit: Path | str | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The configuration file to read. Raises Mistakes that say where it was looked for."""
    named = explicit or environ.get("RINGMAIL_CONFIG")
    if named:
        places = [Surroundings(cwd, environ).path(str(named))]
    else:
        home = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
        places = [cwd / FILE_NAME]
        # XDG Base Directory: a relative path in these variables is to be ignored.
        places += [Path(home) / "ringmail" / FILE_NAME] if home.startswith("/") else []
        places.append(Path("/etc/ringmail") / FILE_NAME)
    for place in places:
        if is_file(place):
            return place
    looked = ", ".join(str(place) for place in places)
    raise Mistakes([Mistake("", None, f"there is no configuration; looked at {looked}; `ringmail init` makes one")])


def load(path: Path, environ: Mapping[str, str]) -> Loaded:
    """Reads the file. Raises Mistakes, whatever is wrong with it."""
    try:
        with path.open("rb") as opened:
            content = opened.read(CONFIG_BYTES_MAX + 1)
        rights = path.stat().st_mode
    except FileNotFoundError:
        raise Mistakes([_whole(path, "there is no such file; `ringmail init` makes one")]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise Mistakes([_whole(path, f"can't be read: {reason}")]) from None
    if len(content) > CONFIG_BYTES_MAX:
        raise Mistakes([_whole(path, f"is larger than {CONFIG_BYTES_MAX} bytes; is it the right file?")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Mistakes([Mistake("", line, "is not UTF-8 text; save it as UTF-8", str(path))]) from None
    around = Surroundings(path.absolute().parent, environ)
    settings = _read(text, around, str(path))
    if around.has_literal_secret and rights & stat.S_IROTH:
        around.warnings.append(f"{path}: holds secrets and every account of this machine can read it; chmod 600 {path}")
    return Loaded(settings, tuple(around.warnings))


def loads(text: str, folder: Path, environ: Mapping[str, str]) -> Loaded:
    """Reads a text as if it stood in `folder`. Raises Mistakes."""
    if len(text) > CONFIG_BYTES_MAX:
        raise Mistakes([_whole(Path(FILE_NAME), f"is larger than {CONFIG_BYTES_MAX} bytes; is it the right file?")])
    around = Surroundings(folder, environ)
    settings = _read(text, around, FILE_NAME)
    return Loaded(settings, tuple(around.warnings))


def _whole(path: Path, message: str) -> Mistake:
    return Mistake("", None, message, str(path))


def _read(text: str, around: Surroundings, file: str) -> Settings:
    try:
        raw = tomllib.loads(text)
    except RecursionError:
        raise Mistakes([Mistake("", None, "is nested too deeply", file)]) from None
    except ValueError as error:
        raise Mistakes([_syntax(text, str(error), file)]) from None
    try:
        settings = Settings.model_validate(merged(raw, read_overrides(around.environ)), context=around)
    except ValidationError as error:
        found = [(tuple(one["loc"]), str(one["msg"])) for one in error.errors(include_url=False, include_input=False)]
    else:
        _warn(settings, around)
        return settings
    # Raised outside of the handler: the error above holds the values that were read, secrets among them.
    lines = find_lines(text)
    mistakes = [
        Mistake(_dotted(where), None, message, variable)
        if (variable := variable_of(where, around.environ))
        else _mistake(where, message, raw, lines, file)
        for where, message in found
    ]
    raise Mistakes(sorted(mistakes, key=lambda one: (one.line or 0, one.path)))


def _syntax(text: str, reason: str, file: str) -> Mistake:
    """tomllib ends its reasons with "(at line 3, column 5)" or "(at end of document)"."""
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", reason, re.DOTALL)
    if found is None:
        return Mistake("", None, f"is no TOML: {reason[:200]}", file)
    line = int(found[2]) if found[2] else text.count("\n") + 1
    column = f" (column {found[3]})" if found[3] else " (at the end of the file)"
    return Mistake("", line, f"is no TOML: {found[1][:200]}{column}", file)


def _mistake(
    where: tuple[str | int, ...],
    message: str,
    raw: Mapping[str, Any],
    lines: Mapping[tuple[str | int, ...], int],
    file: str,
) -> Mistake:
    if where and where[-1] == "[key]":  # pydantic's mark for a mistake in the key itself
        where = where[:-1]
    line = next((lines[where[:end]] for end in range(len(where), 0, -1) if where[:end] in lines), None)
    name: object = ""
    if len(where) >= 2 and isinstance(where[1], int):
        tables = raw.get(str(where[0]))
        table = tables[where[1]] if isinstance(tables, list) and where[1] < len(tables) else None
        name = table.get("name", "") if isinstance(table, dict) else ""
    return Mistake(_dotted(where), line, message, file, name[:70] if isinstance(name, str) else "")


def _dotted(where: tuple[str | int, ...]) -> str:
    written = ""
    for part in where:
        if isinstance(part, int):
            written += f"[{part}]"
            continue
        key = part[:70] if re.fullmatch(r"[A-Za-z0-9_-]+", part) else repr(part[:70])
        written += f".{key}" if written else key
    return written


def _warn(settings: Settings, around: Surroundings) -> None:
    """What works, but should not stay so."""
    for index, source in enumerate(settings.telephony):
        if source.secret is not None and source.allow_unsigned and not PATH_SAFE.fullmatch(source.secret.reveal()):
            around.warnings.append(
                f"telephony[{index}].secret ({source.name}): holds characters that must be percent-encoded in the path "
                "of the webhook; letters, digits, '-' and '_' are simpler"
            )
        if source.secret is not None and len(source.secret.reveal()) < SECRET_CHARACTERS_MIN:
            around.warnings.append(
                f"telephony[{index}].secret ({source.name}): is shorter than {SECRET_CHARACTERS_MIN} characters and "
                "can be guessed; use a random one, e.g. from `openssl rand -hex 24`"
            )
