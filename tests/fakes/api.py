"""The HTTP side of the daemon in process: the real application with everything in front of it, on a real database.

Webhooks are worked off when the test says so, not beside it.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

from config.load import loads
from connectors.base import Batch
from daemon.bounds import Asgi
from daemon.intake.desk import Desk
from daemon.journal import Journal, work_off
from daemon.matching import local_rules
from daemon.passwords import TOKEN_PREFIX, digest, new_secret
from daemon.server import build
from daemon.serving import Serving
from daemon.wiring import intake_settings, receivers, source_rows
from interactions.mime import ParsedMail, parse
from storage import addresses, leases, people, search, sources
from storage.blobs import Blobs
from storage.database import Database
from tests.fakes.arrivals import mail
from tests.fakes.asgi import Answer, ask

HOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ...").decode()
CONFIG = f"""
public_url = "https://crm.example.org"
[[mailbox]]
name = "sales"
address = "sales@example.org"
imap = "imaps://imap.example.org"
password = "x"
[[telephony]]
name = "main"
type = "generic"
secret = "{HOOK_SECRET}"
lines = {{ "+74951234567" = "anna@example.org" }}
"""


@dataclass
class Api:
    """A program with a token, and the telephone company."""

    app: Asgi
    serving: Serving
    token: str

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """A request with our token; `path` follows /api/v1."""
        given = {"authorization": f"Bearer {self.token}", **headers}
        return await ask(self.app, method, "/api/v1" + path, body, **given)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, body: object, **headers: str) -> Answer:
        return await self.ask("POST", path, body, **headers)

    async def patch(self, path: str, body: object, **headers: str) -> Answer:
        return await self.ask("PATCH", path, body, **headers)

    async def hook(self, body: object, source: str = "main", message_id: str | None = None) -> Answer:
        """A signed webhook (Standard Webhooks)."""
        raw = json.dumps(body, ensure_ascii=False).encode()
        return await ask(self.app, "POST", f"/hooks/{source}", raw, **signed(raw, message_id or uuid4().hex))

    async def work_off(self) -> None:
        """Turns what is in the journal into records."""
        while await work_off(self.serving.database, self.serving.desk, self.serving.receivers):
            pass

    async def mails(self, *raws: bytes, source: str = "sales") -> list[UUID]:
        """Mails that arrive in a mailbox, in the order given; the ids of all mails by time."""
        async with self.serving.database.connection() as db:
            [lease] = await leases.acquire(db, "test", [source], 1, 60)
            await self.serving.desk.accept(lease, Batch([mail(raw, source) for raw in raws]))
            await leases.release(db, [lease])
            rows = await db.fetch("SELECT id FROM interaction WHERE kind = 'email' ORDER BY occurred_at, id")
        return [row["id"] for row in rows]

    async def index(self) -> None:
        """Brings the search index up to date."""
        await self.serving.database.in_transaction(lambda db: search.index_some(db, 1000))


def signed(raw: bytes, message_id: str, secret: str = HOOK_SECRET, at: datetime | None = None) -> dict[str, str]:
    """The headers of Standard Webhooks."""
    timestamp = str(int((at or datetime.now(UTC)).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    proof = hmac.new(key, f"{message_id}.{timestamp}.".encode() + raw, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(proof).decode(),
    }


async def make_api(database: Database, folder: Path, config: str = CONFIG, scopes: tuple[str, ...] = ("read", "write")) -> Api:  # fmt: skip
    """The application on an empty database, and a token for it."""

    async def parse_here(raw: bytes) -> ParsedMail:
        return parse(raw)

    settings = loads(config, folder, {}).settings
    token = TOKEN_PREFIX + new_secret()
    ours = intake_settings(settings)
    async with database.connection() as db:
        await sources.save_all(db, source_rows(settings))
        await addresses.mark_own(db, ours.own, datetime.now(UTC).date(), local_rules(settings))
        await people.add_token(db, "test", digest(token), scopes)
    desk = Desk(database, Blobs(folder), ours, parse_here)
    serving = Serving(
        settings, database, desk, Journal(database), Blobs(folder), receivers(settings), settings.public_url, True
    )
    return Api(build(serving), serving, token)


async def add_contact(api: Api, name: str, kind: str = "partner", **fields: object) -> UUID:
    """A contact, through the API."""
    answer = await api.post("/contacts", {"kind": kind, "name": name, **fields})
    assert answer.status == 201, answer.body
    return UUID(answer.json["id"])
