"""Numbers for Prometheus, in its text format 0.0.4: how much waits where, and how every source is.

No label holds anything from outside but the names of sources, which the configuration bounds; no number is a secret.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from storage.counts import KeptHere, Waiting
from storage.sources import SourceRow

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("ok", "catching_up", "needs_reauth", "throttled", "unreachable", "misconfigured", "paused")

Sample = tuple[dict[str, str], float]


def render(waiting: Waiting, kept: KeptHere, found: Sequence[SourceRow], now: datetime) -> str:
    """All metrics as text."""
    repairs: list[Sample] = [({"source": one.name}, one.audit_repairs) for one in found]
    families: list[tuple[str, str, list[Sample]]] = [
        ("ringmail_journal_waiting", "webhooks stored and not yet read", [({}, waiting.journal)]),
        ("ringmail_search_waiting", "records not yet in the search index", [({}, waiting.search)]),
        ("ringmail_feed_waiting", "changes not yet numbered", [({}, waiting.feed)]),
        ("ringmail_quarantine", "mails and events that could not be read", [({}, waiting.quarantine)]),
        ("ringmail_interactions", "interactions kept (estimated beyond a bound)", [({}, kept.interactions)]),
        ("ringmail_database_bytes", "size of the database", [({}, kept.database_bytes)]),
        ("ringmail_source_state", "1 for the state a source is in", list(_states(found))),
        ("ringmail_source_backlog", "mails still to be read", list(_backlog(found))),
        ("ringmail_audit_repairs_total", "differences that audits found and mended", repairs),
        ("ringmail_source_success_age_seconds", "since the last success", list(_ages(found, now))),
    ]
    return "".join(_family(name, words, samples) for name, words, samples in families if samples)


def _states(found: Iterable[SourceRow]) -> Iterable[Sample]:
    for one in found:
        for state in STATES:
            yield {"source": one.name, "state": state}, float(one.state == state)


def _backlog(found: Iterable[SourceRow]) -> Iterable[Sample]:
    for one in found:
        if one.total is not None:
            yield {"source": one.name}, max(one.total - (one.done or 0), 0)


def _ages(found: Iterable[SourceRow], now: datetime) -> Iterable[Sample]:
    for one in found:
        if one.last_success_at is not None:
            yield {"source": one.name}, max((now - one.last_success_at).total_seconds(), 0.0)


def _family(name: str, words: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {words}", f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_quoted(text)}"' for key, text in labels.items())
        lines.append(f"{name}{{{inside}}} {value:g}" if inside else f"{name} {value:g}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
