"""From a mail's delivery to its committed interaction, beside a client that merely idles and hears of it.

The daemon runs in this process on its embedded database (fsync on), over TLS, with its two connections and their
pushes; `benchmarks.postman` delivers to Dovecot and takes the times. What is told is the difference: how much later than
the idle client hears of a mail its interaction is committed, attachments kept and chain placed. When Dovecot tells its
clients is Dovecot's choice (half a second after the mail lies there) and not ours; it may tell us sooner than the other.
`SELECT 1` through the daemon's pool, asked meanwhile, tells what the machine is worth just then: a mail takes some fifty
questions to the database, and on a busy machine each waits for its turn.
"""

import asyncio
import json
import os
import sys
import time
from statistics import median

from benchmarks.measured import line, on_fast_loop, percentile
from tests.fakes.daemon import dsn_of, home, running_app, until_rows, write_config
from tests.fakes.dovecot import Dovecot, running_dovecot

MAILS = 150
ASK_EACH_SECONDS = 0.5
_STATE = "SELECT state FROM source WHERE kind = 'mailbox'"


def run(mails: int = MAILS) -> None:
    """Measures and prints."""
    print(f"delivery of {mails} mails to a mailbox on Dovecot, one at a time")
    with running_dovecot() as dovecot:
        times, asked = on_fast_loop(lambda: measure(dovecot, mails))
    later = [1000 * (committed - heard) for heard, committed in times]
    line("the idle client hears of it, ms after APPEND, median", f"{1000 * median(one for one, _ in times):.0f}")
    line("its interaction is committed, ms after APPEND, median", f"{1000 * median(one for _, one in times):.0f}")
    line("`SELECT 1` over the daemon's pool meanwhile, ms, median", f"{1000 * median(asked):.2f}")
    line("load average of this machine", f"{os.getloadavg()[0]:.1f}")
    line("LATER, ms: p10, when hardly anybody else is at work", f"{percentile(later, 0.1):.0f}")
    line("LATER, ms: p50", f"{percentile(later, 0.5):.0f}")
    line("LATER, ms: p95", f"{percentile(later, 0.95):.0f}")
    line("RATIO p50 / `SELECT 1`", f"{median(later) / (1000 * median(asked)):.0f}")
    line("LATER, ms: p99 and largest", f"{percentile(later, 0.99):.0f} and {max(later):.0f}")


async def measure(dovecot: Dovecot, mails: int) -> tuple[list[tuple[float, float]], list[float]]:
    """Seconds after delivery, heard and committed, of each mail; and of the simplest question to the database meanwhile."""
    user = dovecot.new_user()
    with home() as folder:
        config = write_config(folder, [("sales", user)], dovecot)
        async with running_app(config) as app:
            dsn = dsn_of(config)
            await until_rows(dsn, _STATE, [("ok",)])
            what = ["-m", "benchmarks.postman", dovecot.host, str(dovecot.imap), user, dsn, str(mails)]
            child = await asyncio.create_subprocess_exec(sys.executable, *what, stdout=asyncio.subprocess.PIPE)
            telling = asyncio.create_task(child.communicate())
            asked = []
            while not telling.done():
                started = time.perf_counter()
                async with app.serving.database.connection() as db:
                    await db.fetchval("SELECT 1")
                asked.append(time.perf_counter() - started)
                await asyncio.sleep(ASK_EACH_SECONDS)
            said, _ = await telling
            times = [(float(heard), float(committed)) for heard, committed in json.loads(said)]
            assert len(times) == mails
            return times, asked
