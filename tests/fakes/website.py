"""The pages in process, as a browser sees them: somebody is signed in, forms are sent from our own page, cookies kept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID, uuid4

from daemon.auth import COOKIE
from daemon.passwords import digest, new_secret
from interactions.contacts import Contact, ContactKind
from interactions.records import Interaction
from storage import contacts, people
from storage.database import Database
from tests.fakes.api import CONFIG, Api, make_api
from tests.fakes.asgi import Answer, ask
from tests.fakes.rows import ids, write

ANNA = "anna@example.org"
SAME_ORIGIN = {"sec_fetch_site": "same-origin"}


@dataclass
class Site:
    """A browser in front of our pages. `cookies` are those it sends."""

    api: Api
    user_id: UUID
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return self.api.serving.database

    async def get(self, target: str, **headers: str) -> Answer:
        return await ask(self.api.app, "GET", target, **{"accept": "text/html", **self._cookie(), **headers})

    async def post(self, target: str, fields: Mapping[str, str], **headers: str) -> Answer:
        given = {"content_type": "application/x-www-form-urlencoded", "accept": "text/html", **SAME_ORIGIN, **headers}
        return await ask(self.api.app, "POST", target, urlencode(fields).encode(), **{**self._cookie(), **given})

    async def sign_in(self) -> None:
        """A session for Anna, without the form."""
        secret = new_secret()
        async with self.database.connection() as db:
            await people.add_session(db, digest(secret), self.user_id, datetime.now(UTC) + timedelta(days=1))
        self.cookies[COOKIE] = secret

    async def once_link(self, minutes: int = 10) -> str:
        """The secret of a link for Anna."""
        secret = new_secret()
        async with self.database.connection() as db:
            await people.add_once_link(db, digest(secret), self.user_id, datetime.now(UTC) + timedelta(minutes=minutes))
        return secret

    def _cookie(self) -> dict[str, str]:
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"cookie": kept} if kept else {}


async def make_site(database: Database, folder: Path, config: str = CONFIG, password: str | None = None) -> Site:
    """The application, and a user with the hash of a password. Nobody is signed in yet."""
    api = await make_api(database, folder, config)
    anna = Contact(uuid4(), ContactKind.USER, "Анна Соколова")
    async with database.connection() as db:
        await contacts.add(db, anna, datetime.now(UTC).date())
        await people.add_login(db, anna.id, ANNA, password, "member")
    return Site(api, anna.id)


def page_of(answer: Answer) -> str:
    """A page's HTML."""
    return answer.body.decode()


def words_of(answer: Answer) -> str:
    """What a person reads on a page, in one line."""
    without = re.sub(r"<(script|style|title|svg)\b.*?</\1>", " ", page_of(answer), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", without)).split())


async def stored(site: Site, *some: Interaction) -> None:
    """Writes interactions as the intake does."""
    async with site.database.connection() as db, db.transaction():
        await write(db, *some)


def line_of(answer: Answer, n: int) -> str:
    """The line of interaction `n` in a list."""
    found = re.search(rf'<li class="row[^>]*id="i-{ids(n)[0]}".*?</li>', page_of(answer), re.DOTALL)
    assert found is not None
    return found.group()


def order_of(answer: Answer) -> list[str]:
    """The ids of a list's lines, from the top."""
    return re.findall(r'data-id="([^"]+)"', page_of(answer))
