"""An office with mailboxes that not everybody may read, and people who ask: each by a session, over the API and the pages."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID, uuid4

from daemon.auth import COOKIE
from daemon.passwords import TOKEN_PREFIX, digest, new_secret
from interactions.contacts import Contact, ContactKind
from storage import contacts, feed, people, staff
from storage.database import Database
from storage.staff import Department
from tests.fakes.api import CONFIG, Api, make_api
from tests.fakes.arrivals import START
from tests.fakes.asgi import Answer, ask

MAILBOX = """
[[mailbox]]
name = "{name}"
address = "{name}@example.org"
imap = "imaps://imap.example.org"
password = "x"
"""
NARROWED = (
    CONFIG
    + MAILBOX.format(name="ceo")
    + 'privacy = "private"\nmembers = ["Anna@Example.org", "dept:Board"]\nresponsible = "vera@example.org"\n'
    + MAILBOX.format(name="claims")
    + 'members = ["anna@example.org"]\n'
)


@dataclass
class Person:
    """Somebody who is signed in; `ask` is of /api/v1, `page` of the pages."""

    api: Api
    user_id: UUID
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        given = {"sec_fetch_site": "same-origin", **self.headers, **headers}
        return await ask(self.api.app, method, "/api/v1" + path, body, **given)

    async def get(self, path: str) -> Answer:
        return await self.ask("GET", path)

    async def page(self, path: str) -> Answer:
        return await ask(self.api.app, "GET", path, accept="text/html", **self.headers)

    async def send(self, path: str, **fields: str) -> Answer:
        given = {"content_type": "application/x-www-form-urlencoded", "accept": "text/html", **self.headers}
        return await ask(self.api.app, "POST", path, urlencode(fields).encode(), sec_fetch_site="same-origin", **given)


@dataclass
class Office:
    """The people: Anna is a member of both narrowed mailboxes, Vera answers for one, Dora stands in for Vera, Grigori sits
    on the board, Boris and the administrator are outside. Programs have tokens of one scope each."""

    api: Api
    people: dict[str, Person]

    def __getattr__(self, name: str) -> Person:
        return self.people[name]

    async def number(self) -> None:
        await self.api.serving.database.in_transaction(feed.number)


async def make_office(database: Database, folder: Path, config: str = NARROWED) -> Office:
    """The office, with nothing in it yet. Vera is away."""
    api = await make_api(database, folder, config)
    office = Office(api, {})
    board, below = Department(uuid4(), "board"), uuid4()
    async with database.connection() as db:
        await staff.save_department(db, board)
        await staff.save_department(db, Department(below, "Finance", parent_id=board.id))
        for name in ("anna", "boris", "vera", "dora", "grigori", "admin"):
            user = Contact(uuid4(), ContactKind.USER, name.title())
            await contacts.add(db, user, datetime.now(UTC).date())
            await people.add_login(db, user.id, f"{name}@example.org", None, "admin" if name == "admin" else "member")
            secret = new_secret()
            await people.add_session(db, digest(secret), user.id, datetime.now(UTC) + timedelta(days=1))
            office.people[name] = Person(api, user.id, {"cookie": f"{COOKIE}={secret}"})
        for scope in ("read", "admin"):
            secret = TOKEN_PREFIX + new_secret()
            await people.add_token(db, scope, digest(secret), [scope])
            office.people[f"{scope}_token"] = Person(api, uuid4(), {"authorization": f"Bearer {secret}"})
        await staff.change(db, office.grigori.user_id, {"department_id": str(below)}, None)
        await staff.change(db, office.vera.user_id, {"deputy_id": str(office.dora.user_id)}, None)
        await staff.set_absence(db, office.vera.user_id, datetime.now(UTC) - timedelta(days=1), None)
    return office


def secret_mail(number: str, word: str, to: str = "ceo@example.org", minute: int = 0, **fields: str) -> bytes:
    """A mail of which everything bears one word: sender, topic, text, the name of its file."""
    message = EmailMessage()
    message["From"] = f"{word} name <{word}sender@customer.example>"
    message["To"] = to
    message["Subject"] = f"{word}topic"
    message["Date"] = (START + timedelta(minutes=minute)).strftime("%a, %d %b %Y %H:%M:%S +0000")
    message["Message-ID"] = f"<{number}@test.example>"
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content(f"{word}body and more")
    message.add_attachment(f"{word}content".encode(), maintype="text", subtype="plain", filename=f"{word}file.txt")
    return message.as_bytes()
