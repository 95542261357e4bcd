"""Metrics as Prometheus reads them."""

from datetime import UTC, datetime, timedelta

from daemon.metrics import render
from storage.counts import KeptHere, Waiting
from storage.sources import SourceRow

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def source(name: str, state: str = "ok", done: int | None = None, total: int | None = None) -> SourceRow:
    return SourceRow(
        name, "mailbox", "imap", state, "secret detail", NOW, None, done, total, NOW - timedelta(seconds=5), None, 2
    )


def test_every_number_has_its_name_and_words() -> None:
    text = render(Waiting(1, 2, 3, 4), KeptHere(10**6, 7, 1), [source("sales", "catching_up", 3, 10)], NOW)

    lines = text.splitlines()
    assert "ringmail_journal_waiting 1" in lines
    assert "ringmail_database_bytes 1e+06" in lines
    assert 'ringmail_source_state{source="sales",state="catching_up"} 1' in lines
    assert 'ringmail_source_state{source="sales",state="ok"} 0' in lines
    assert 'ringmail_source_backlog{source="sales"} 7' in lines
    assert 'ringmail_source_success_age_seconds{source="sales"} 5' in lines
    assert 'ringmail_audit_repairs_total{source="sales"} 2' in lines
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names)) == sum(line.startswith("# HELP") for line in lines)
    assert "secret detail" not in text


def test_a_name_can_not_break_a_line() -> None:
    text = render(Waiting(0, 0, 0, 0), KeptHere(0, 0, 0), [source('a"b\nc\\')], NOW)

    assert 'source="a\\"b\\nc\\\\"' in text
    assert all(line.startswith(("#", "ringmail_")) for line in text.splitlines())


def test_without_sources_nothing_is_said_of_them() -> None:
    assert "ringmail_source" not in render(Waiting(0, 0, 0, 0), KeptHere(0, 0, 0), [], NOW)
