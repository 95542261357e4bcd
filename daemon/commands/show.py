"""How commands speak: text to standard output, warnings and progress to standard error, JSON where a program reads.

On a terminal lists are tables and long work has a bar with its rate and an estimate. Into a pipe or a file lists are lines
with tabs between the columns, and long work says a line every few seconds. With `--json` there is exactly one JSON value on
standard output and nothing else.

What came from outside (reasons, names, what servers said) cannot steer a terminal: control characters are shown as "�".
"""

import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Table
from rich.text import Text

LINE_SECONDS = 5.0
JSON_HELP = "Answer with one JSON value."
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_STATE_STYLES = {
    "ok": "green", "warning": "yellow", "broken": "bold red", "not built": "dim", "catching_up": "cyan",
    "paused": "dim", "throttled": "yellow", "unreachable": "yellow", "needs_reauth": "bold red",
    "misconfigured": "bold red",
}  # fmt: skip


def clean(text: str) -> str:
    """A text that cannot steer a terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def say(text: str = "") -> None:
    """A line of the answer."""
    typer.echo(clean(text))


def warn(text: str) -> None:
    """A line beside the answer: warnings, errors."""
    typer.echo(clean(text), err=True)


def as_json(value: object) -> None:
    """The answer for a program."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def time_text(at: datetime | None) -> str | None:
    """A time as programs read it: RFC 3339, UTC."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if at else None


def moment(at: datetime | None, now: datetime) -> str:
    """How long ago, or how soon: as people say it."""
    if at is None:
        return "never"
    gap = now - at
    return f"in {span(-gap)}" if gap < timedelta(0) else f"{span(gap)} ago"


def span(gap: timedelta) -> str:
    """A length of time in its two largest units."""
    seconds = int(gap.total_seconds())
    for unit, size, below, smaller in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {unit} {rest} {below}" if rest else f"{seconds // size} {unit}"
    return f"{seconds} s"


def size(count: int) -> str:
    """Bytes as people say them."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def table(headings: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """A list; `empty` is said where there is nothing."""
    if not rows:
        say(empty)
        return
    texts = [[clean("" if cell is None else str(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [list(headings), *texts]:
            typer.echo("\t".join(re.sub(r"\s+", " ", cell) for cell in row))
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        shown.add_column(heading, overflow="fold")
    for row in texts:
        shown.add_row(*(Text(cell, style=_STATE_STYLES.get(cell, "")) for cell in row))
    Console().print(shown)


def state_line(state: str, name: str, means: str) -> None:
    """One thing that was looked at, its state in colour on a terminal."""
    if not sys.stdout.isatty():
        say(f"{state:<9}  {name}: {means}")
        return
    line = Text.assemble(
        (f"{state:<9}", _STATE_STYLES.get(state, "")), "  ", (clean(name), "bold"), f": {clean(means)}"
    )
    Console().print(line, soft_wrap=True)


class Progress:
    """Long work, to be used in `with`: a bar on a terminal, else a line every few seconds; always on standard error.

    `total` may be 0 while it is unknown. `clock` counts seconds and stands still for nobody.
    """

    def __init__(self, what: str, total: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.done, self.total = 0, total
        self._what = what
        self._clock = clock
        self._started_at = self._said_at = clock()
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        if sys.stderr.isatty():
            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(clean(what), total=total or None, rate="")

    def __enter__(self) -> "Progress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, count: int) -> None:
        """So many more are done."""
        self.reach(self.done + count, self.total)

    def reach(self, done: int, total: int) -> None:
        """So many are done, of so many."""
        self.done, self.total = done, total
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total or None, rate=self._rate_words())
        elif self._clock() - self._said_at >= LINE_SECONDS:
            self._said_at = self._clock()
            warn(self.line())

    def line(self) -> str:
        """How far we are, at which rate, and for how long still."""
        of = f"{self.done} of {self.total}" if self.total else str(self.done)
        rate = self._rate()
        left = timedelta(seconds=(self.total - self.done) / rate) if rate and self.total > self.done else None
        return f"{self._what}: {of}, {self._rate_words()}" + (f", {span(left)} left" if left is not None else "")

    def _rate(self) -> float:
        passed = self._clock() - self._started_at
        return self.done / passed if passed > 0 else 0.0

    def _rate_words(self) -> str:
        return f"{self._rate():.0f} a second"


def fields(pairs: Mapping[str, object]) -> None:
    """Names and values, one a line."""
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        say(f"{name + ':':<{width + 1}} {value}")
