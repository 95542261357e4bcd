"""How commands speak: nothing from outside steers a terminal, lists go into pipes, long work says how long."""

from datetime import UTC, datetime, timedelta

import pytest

from daemon.commands import show

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\x9bb", "a\rb", "\u202eevil", "a\x00b", "bell\x07"])
def test_what_would_steer_a_terminal_is_shown_instead(text: str) -> None:
    assert "\ufffd" in show.clean(text)
    assert all(char.isprintable() for char in show.clean(text))


def test_words_of_any_language_stay_as_they_are() -> None:
    assert show.clean("Ёлки — 日本\tи\nтак") == "Ёлки — 日本\tи\nтак"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s ago"), (61, "1 min 1 s ago"), (7200, "2 h ago"), (90_000, "1 d 1 h ago"), (-90, "in 1 min 30 s")],
)
def test_moments_are_said_as_people_say_them(seconds: int, words: str) -> None:
    assert show.moment(NOW - timedelta(seconds=seconds), NOW) == words


def test_what_never_was_is_never() -> None:
    assert show.moment(None, NOW) == "never"
    assert show.time_text(None) is None
    assert show.time_text(NOW) == "2026-11-23T09:30:00Z"


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (250_000_000, "250 MB"), (10**13, "10.0 TB")],
)
def test_sizes_are_said_as_people_say_them(count: int, words: str) -> None:
    assert show.size(count) == words


def test_a_list_in_a_pipe_is_lines_with_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    show.table(("name", "reason"), [("a", "two\nlines\tand a tab"), (None, 5)], "nothing")
    show.table(("name",), [], "nothing")

    assert capsys.readouterr().out.splitlines() == ["name\treason", "a\ttwo lines and a tab", "\t5", "nothing"]


def test_long_work_says_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    with show.Progress("sales", 1000, lambda: clock[0]) as progress:
        for second in range(11):
            clock[0] = float(second)
            progress.reach(second * 50, 1000)

    lines = capsys.readouterr().err.splitlines()
    assert lines == ["sales: 250 of 1000, 50 a second, 15 s left", "sales: 500 of 1000, 50 a second, 10 s left"]


def test_work_of_unknown_length_says_how_much_is_done() -> None:
    clock = [0.0]
    progress = show.Progress("sales", clock=lambda: clock[0])
    clock[0] = 2.0
    progress.advance(10)

    assert progress.line() == "sales: 10, 5 a second"
