"""The command `ringmail` for tests: in this process, quickly, or as a person starts it, in a process of its own.

    ringmail = Ringmail(folder, dsn)
    said = ringmail("token", "create", "crm", "--json")     said.code, said.out, said.err, said.json

The configuration lies in the folder; without a DSN the database is embedded there.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog
import tomlkit

from daemon.cli import main
from storage.database import Connection, Database
from tests.fakes.dovecot import PASSWORD, Dovecot
from tests.fakes.sources import ROOT

T = TypeVar("T")
SECONDS_MAX = 50


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Ringmail:
    """The command with a configuration of its own."""

    def __init__(self, folder: Path, dsn: str = "") -> None:
        self.folder = folder
        self.dsn = dsn
        self.path = folder / "ringmail.toml"

    def configure(self, **tables: object) -> None:
        """Writes the configuration."""
        content = {"data_dir": "data", "database": {"dsn": self.dsn or "embedded"}, "http": {"listen": "127.0.0.1:1"}}
        self.path.write_text(tomlkit.dumps({**content, **tables}), "utf-8")
        self.path.chmod(0o600)

    def mailbox(self, dovecot: Dovecot, user: str, name: str = "sales", **more: object) -> dict[str, object]:
        """The table of a mailbox on this server."""
        authority = self.folder / "authority.pem"
        dovecot.authority.cert_pem.write_to_path(str(authority))
        imap = f"imaps://localhost:{dovecot.imaps}"
        table: dict[str, object] = {"name": name, "address": user, "imap": imap, "password": PASSWORD}
        return {**table, "tls_ca": str(authority), **more}

    def __call__(self, *arguments: str) -> Said:
        """Runs a command here, without standard input; `run` and `demo`, which set up the logs of a process, not."""
        out, err = io.StringIO(), io.StringIO()
        before = structlog.get_config()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(["--config", str(self.path), *arguments])
        finally:
            structlog.configure(**before)
        return Said(int(code), out.getvalue(), err.getvalue())

    def apart(self, *arguments: str, words: str = "", environ: Mapping[str, str] | None = None) -> Said:
        """Runs a command as a person does; `words` is what is typed."""
        around = {key: value for key, value in os.environ.items() if not key.startswith(("RINGMAIL", "PG"))}
        ended = subprocess.run(
            [sys.executable, "-m", "daemon", "--config", str(self.path), *arguments],
            check=False,
            cwd=ROOT,
            env={**around, **(environ or {})},
            input=words.encode(),
            capture_output=True,
            timeout=SECONDS_MAX,
        )
        return Said(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


async def ask(dsn: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Does something with the database behind the back of the commands."""
    database = await Database.open(dsn)
    try:
        return await database.in_transaction(work)
    finally:
        await database.close()
