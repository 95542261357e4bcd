"""`make bench`, or `python -m benchmarks [fetch] [idle] [sync] [delivery] …`: measures, and prints ratios."""

import sys

from benchmarks import delivery, fetch, growth, idle, lists, parsing, sync, webhooks
from daemon import log

ALL = {
    "fetch": fetch.run,
    "idle": idle.run,
    "sync": sync.run,
    "delivery": delivery.run,
    "parsing": parsing.run,
    "webhooks": webhooks.run,
    "lists": lists.run,
    "growth": growth.run,
}


def main() -> int:
    """Runs those that were named, or all."""
    wanted = sys.argv[1:] or list(ALL)
    if unknown := [name for name in wanted if name not in ALL]:
        print(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(ALL)}")
        return 2
    log.set_up(quiet=True)
    for name in wanted:
        ALL[name]()
        print()
    return 0


sys.exit(main())
