"""The world around the daemon of `ringmail demo`: a mail server, a telephone company, and people who use both.

    world = World(now)
    await world.start()                              the IMAP server runs, sixty days of mail are in it
    text = world.config_text(folder, http_port)      the ringmail.toml with which the daemon reads it all
    …                                                whoever runs the daemon adds `world.users` and `world.contacts`
    await world.post_history(url, world.secret)      calls and SMS of the last weeks, to /hooks/main
    await world.live(url, world.secret)              something new every few seconds, until cancelled or told to stop
    await world.stop()

Nothing is shared with the daemon but sockets: mail is read over IMAP, calls come as signed webhooks. Everything is in
memory and ends with `stop`. After `EVENTS_MAX` events `live` falls silent, so that a demonstration that was forgotten
does not fill the memory.
"""

import asyncio
import contextlib
import random
import secrets
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

import tomlkit
from tomlkit.items import AoT, Table

from config.write import Answers, MailboxAnswers, TelephonyAnswers, render
from connectors.web import Web
from daemon.demo.corpus import ARCHIVE, DRAFTS, INBOX, JUNK, SENT, TRASH, Corpus
from daemon.demo.correspondence import MAILBOXES
from daemon.demo.imap_server import HOST, ImapServer
from daemon.demo.imap_store import Account
from daemon.demo.people import LINE_SALES, LINE_SERVICE, PARTNERS, PERSONS, USER_BY_KEY, USERS
from daemon.demo.telephone import Payload, Telephone, Traffic

SECONDS_BETWEEN = 4.0
EVENTS_MAX = 20_000
CALLS_AT_ONCE_MAX = 3
POSTS_AT_ONCE = 8
POLL_SECONDS = 5
TELEPHONY_NAME = "main"
_USES = {INBOX: "", SENT: "\\Sent", ARCHIVE: "\\Archive", JUNK: "\\Junk", TRASH: "\\Trash", DRAFTS: "\\Drafts"}
_RESPONSIBLE = {"sales": "anna", "service": "vera"}


@dataclass(frozen=True, slots=True)
class DemoUser:
    """One of us, to be added as a user."""

    name: str
    email: str
    extension: str
    position: str


@dataclass(frozen=True, slots=True)
class DemoContact:
    """A contact to be added: `kind` is partner, contact_person or individual; a person's `partner_ref` is the
    `external_ref` of its partner. Phones are spelled as people spell them; `responsible` is a user's e-mail."""

    external_ref: str
    kind: str
    name: str
    partner_ref: str | None
    position: str
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    responsible: str | None


@dataclass(frozen=True, slots=True)
class DemoMailbox:
    """A mailbox on our server, once it runs."""

    name: str
    address: str
    aliases: tuple[str, ...]
    host: str
    port: int
    user: str
    password: str


class World:
    """See the module. The same `now` and `seed` give the same mail; `speed` makes life go faster."""

    def __init__(self, now: datetime, seed: int = 1, speed: float = 1.0) -> None:
        self.now = now
        self.secret = "whsec_" + b64encode(secrets.token_bytes(24)).decode("ascii")
        self._rng = random.Random(seed)  # noqa: S311 (sample data)
        self._corpus = Corpus(seed)
        self._traffic = Traffic(self._rng)
        self._speed = speed
        self._password = secrets.token_urlsafe(12)
        self.accounts = tuple(
            Account(address, self._password, _USES, int(now.timestamp())) for _, address, _ in MAILBOXES.values()
        )
        self._server = ImapServer(self.accounts)

    async def start(self) -> None:
        """Fills the mailboxes and opens the mail server on a free port of this machine."""
        for mail in self._corpus.history(self.now):
            address = MAILBOXES[mail.mailbox][1]
            self._server.deliver(address, mail.folder, mail.raw, mail.received_at, mail.is_seen)
        await self._server.start()

    async def stop(self) -> None:
        """Ends every connection and closes the server."""
        await self._server.stop()

    @property
    def mailboxes(self) -> tuple[DemoMailbox, ...]:
        """Our mailboxes; the port is there after `start`."""
        return tuple(
            DemoMailbox(name, address, aliases, HOST, self._server.port, address, self._password)
            for name, (_, address, aliases) in MAILBOXES.items()
        )

    @property
    def users(self) -> tuple[DemoUser, ...]:
        return tuple(DemoUser(user.name, user.email, user.extension, user.position) for user in USERS)

    @property
    def contacts(self) -> tuple[DemoContact, ...]:
        """Partners first, so that their people find them."""
        managers = {person.partner: person.manager for person in reversed(PERSONS)}
        partners = [
            DemoContact(
                one.ref, "partner", one.name, None, "", one.emails, one.phones, USER_BY_KEY[managers[one.ref]].email
            )
            for one in PARTNERS
        ]
        people = [
            DemoContact(
                one.ref,
                "contact_person" if one.partner else "individual",
                one.full_name,
                one.partner or None,
                one.position,
                (one.email, *one.more_emails),
                one.phones,
                USER_BY_KEY[one.manager].email,
            )
            for one in PERSONS
        ]
        return (*partners, *people)

    def config_text(self, data_dir: str, http_port: int, language: str = "ru") -> str:
        """The ringmail.toml of the demonstration. It holds passwords: to be saved with mode 0600."""
        answers = Answers(
            data_dir=data_dir,
            public_url=f"http://{HOST}:{http_port}",
            language=language,
            listen=f"{HOST}:{http_port}",
            mailboxes=tuple(
                MailboxAnswers(one.name, one.address, f"imap://{one.host}:{one.port}", "", one.user, one.password)
                for one in self.mailboxes
            ),
            telephony=(
                TelephonyAnswers(
                    TELEPHONY_NAME,
                    self.secret,
                    {LINE_SALES: USER_BY_KEY["anna"].email, LINE_SERVICE: USER_BY_KEY["vera"].email},
                ),
            ),
        )
        file = tomlkit.parse(render(answers).replace("`ringmail init`", "`ringmail demo`"))
        for table, one in zip(_tables(file, "mailbox"), self.mailboxes, strict=True):
            table.add("aliases", list(one.aliases))
            table.add("responsible", USER_BY_KEY[_RESPONSIBLE[one.name]].email)
            table.add("poll_seconds", POLL_SECONDS)
        for table in _tables(file, "telephony"):
            extensions = tomlkit.inline_table()
            extensions.update({user.extension: user.email for user in USERS})
            table.add("extensions", extensions)
        return tomlkit.dumps(file)

    def history_calls(self, now: datetime) -> list[Payload]:
        """Calls and SMS of the last weeks as the bodies of webhooks, in order of time; each call asks for new ones."""
        return self._traffic.history(now)

    async def post_history(self, post_url: str, secret: str, now: datetime | None = None) -> int:
        """Posts the past to the daemon, several at a time; returns how many posts were taken."""
        async with Web() as web:
            telephone = Telephone(web, post_url, secret)
            waiting = iter(self.history_calls(now or datetime.now(UTC)))

            async def work() -> None:
                for payload in waiting:
                    await telephone.post(payload)

            await asyncio.gather(*(work() for _ in range(POSTS_AT_ONCE)))
            return telephone.sent

    async def live(self, post_url: str, secret: str, stop: asyncio.Event | None = None) -> None:
        """A mail, a call or an SMS every few seconds, until `stop` is set or we are cancelled."""
        ended = stop or asyncio.Event()
        calls: set[asyncio.Task[None]] = set()
        async with Web() as web:
            telephone = Telephone(web, post_url, secret)
            try:
                for _ in range(EVENTS_MAX):
                    self._next_event(telephone, calls)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(SECONDS_BETWEEN * self._rng.uniform(0.7, 1.3) / self._speed):
                            await ended.wait()
                    if ended.is_set():
                        return
                await ended.wait()
            finally:
                for call in calls:
                    call.cancel()
                await asyncio.gather(*calls, return_exceptions=True)

    def _next_event(self, telephone: Telephone, calls: set[asyncio.Task[None]]) -> None:
        chance = self._rng.random()
        if chance < 0.5 or len(calls) >= CALLS_AT_ONCE_MAX:
            self._deliver_next(datetime.now(UTC))
            return
        stages = self._traffic.next_call() if chance < 0.8 else self._traffic.next_sms()
        call = asyncio.create_task(telephone.play(stages, self._speed))
        calls.add(call)
        call.add_done_callback(calls.discard)

    def _deliver_next(self, now: datetime) -> None:
        mail = self._corpus.next_mail(now)
        self._server.deliver(MAILBOXES[mail.mailbox][1], mail.folder, mail.raw, mail.received_at, mail.is_seen)


def _tables(file: tomlkit.TOMLDocument, name: str) -> list[Table]:
    tables = file[name]
    assert isinstance(tables, AoT)
    return tables.body
