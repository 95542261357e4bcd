"""Users, their logins and extensions, sessions, one-time links and API tokens. Secrets are stored as hashes only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from interactions.responsible import Colleague, stand_ins
from storage import audit
from storage.database import Connection
from storage.errors import NotFound

STAFF = """
SELECT l.user_id, l.email, l.disabled_at IS NOT NULL AS is_disabled, a.user_id IS NOT NULL AS is_away,
    coalesce(a.deputy_id, l.deputy_id) AS deputy_id, d.head_id
FROM login l JOIN contact c ON c.id = l.user_id LEFT JOIN department d ON d.id = c.department_id
LEFT JOIN LATERAL (
    SELECT user_id, deputy_id FROM absence
    WHERE user_id = l.user_id AND since <= $1 AND (until IS NULL OR until > $1) ORDER BY since DESC LIMIT 1) AS a ON true
"""

EXTENSIONS = """
SELECT extension, user_id FROM extension
WHERE source = $1 AND (since IS NULL OR since <= $2) AND (until IS NULL OR until > $2)
"""


@dataclass(frozen=True, slots=True)
class Staff:
    """Who is with us: by e-mail, by extension of one source, and who is there; `standing_in` answers for who is not."""

    users: Mapping[str, UUID]
    extensions: Mapping[str, UUID]
    active: frozenset[UUID]
    standing_in: Mapping[UUID, UUID]


async def staff(db: Connection, source: str, at: datetime) -> Staff:
    """The users, and the extensions of a source, at a moment."""
    rows = await db.fetch(STAFF, at)
    colleagues = [
        Colleague(row["user_id"], row["is_disabled"], row["is_away"], row["deputy_id"], row["head_id"]) for row in rows
    ]
    users = {row["email"]: row["user_id"] for row in rows}
    extensions = {row["extension"]: row["user_id"] for row in await db.fetch(EXTENSIONS, source, at)}
    there = frozenset(one.id for one in colleagues if one.is_there)
    return Staff(users, extensions, there, stand_ins(colleagues))


@dataclass(frozen=True, slots=True)
class User:
    """A person with a login."""

    id: UUID
    name: str
    email: str
    role: str
    language: str | None
    disabled_at: datetime | None


ADD_LOGIN = """
INSERT INTO login (user_id, email, password_hash, role, language) VALUES ($1, $2, $3, $4, $5)
"""

LIST = """
SELECT l.user_id, c.name, l.email, l.role, l.language, l.disabled_at FROM login l JOIN contact c ON c.id = l.user_id
ORDER BY c.name_key, l.user_id
"""

BY_EMAIL = """
SELECT l.user_id, c.name, l.email, l.role, l.language, l.disabled_at, l.password_hash
FROM login l JOIN contact c ON c.id = l.user_id WHERE l.email = $1
"""

SET_PASSWORD = """
UPDATE login SET password_hash = $2 WHERE user_id = $1
"""


async def add_login(
    db: Connection, user_id: UUID, email: str, password_hash: str | None, role: str, language: str | None = None
) -> None:
    """Gives a contact of kind user a login."""
    await db.execute(ADD_LOGIN, user_id, email, password_hash, role, language)
    await audit.note(db, "user.created", user_id, role=role)


async def list_all(db: Connection) -> list[User]:
    """All users, those who left too."""
    return [User(*row) for row in await db.fetch(LIST)]


async def find_by_email(db: Connection, email: str) -> tuple[User, str | None] | None:
    """A user and the hash of the password."""
    row = await db.fetchrow(BY_EMAIL, email)
    return (User(*tuple(row)[:6]), row["password_hash"]) if row else None


async def set_password(db: Connection, user_id: UUID, password_hash: str) -> None:
    """Replaces a password."""
    await db.execute(SET_PASSWORD, user_id, password_hash)
    await audit.note(db, "user.updated", user_id, fields=["password"])


DISABLE = """
UPDATE login SET disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, now()) END WHERE user_id = $1
"""

END_SESSIONS_OF = """
DELETE FROM session WHERE user_id = $1
"""

END_LINKS_OF = """
UPDATE once_link SET expires_at = now() WHERE user_id = $1 AND used_at IS NULL AND expires_at > now()
"""


async def sign_out(db: Connection, user_id: UUID) -> None:
    """Ends all sessions of a user and all links that would begin one."""
    await db.execute(END_SESSIONS_OF, user_id)
    await db.execute(END_LINKS_OF, user_id)


async def mark_disabled(db: Connection, user_id: UUID, disabled: bool) -> None:
    """Locks a user out at once, or lets the user in again."""
    await db.execute(DISABLE, user_id, disabled)
    await audit.note(db, "user.updated", user_id, fields=["disabled"])
    if disabled:
        await sign_out(db, user_id)


ADD_ONCE = """
INSERT INTO once_link (token_hash, user_id, expires_at) VALUES ($1, $2, $3)
"""

USE_ONCE = """
UPDATE once_link SET used_at = now() WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now() RETURNING user_id
"""

ADD_SESSION = """
INSERT INTO session (token_hash, user_id, expires_at) VALUES ($1, $2, $3)
"""

OF_SESSION = """
SELECT l.user_id, c.name, l.email, l.role, l.language, l.disabled_at
FROM session s JOIN login l ON l.user_id = s.user_id JOIN contact c ON c.id = s.user_id
WHERE s.token_hash = $1 AND s.expires_at > now() AND l.disabled_at IS NULL
"""

END_SESSION = """
DELETE FROM session WHERE token_hash = $1 OR expires_at <= now()
"""


async def add_once_link(db: Connection, token_hash: bytes, user_id: UUID, expires_at: datetime) -> None:
    """A link that signs in once."""
    await db.execute(ADD_ONCE, token_hash, user_id, expires_at)
    await audit.note(db, "user.link_made", user_id)


async def use_once_link(db: Connection, token_hash: bytes) -> UUID | None:
    """Who the link is for; None if it was used, has expired or never was."""
    found: UUID | None = await db.fetchval(USE_ONCE, token_hash)
    return found


async def add_session(db: Connection, token_hash: bytes, user_id: UUID, expires_at: datetime) -> None:
    """Signs a user in."""
    await db.execute(ADD_SESSION, token_hash, user_id, expires_at)


async def user_of_session(db: Connection, token_hash: bytes) -> User | None:
    """Who is signed in by this cookie."""
    row = await db.fetchrow(OF_SESSION, token_hash)
    return User(*row) if row else None


async def end_session(db: Connection, token_hash: bytes) -> None:
    """Signs out, and sweeps what has expired."""
    await db.execute(END_SESSION, token_hash)


ADD_TOKEN = """
INSERT INTO api_token (id, name, token_hash, scopes) VALUES ($1, $2, $3, $4)
"""

# `last_used_at` is for people: once a minute is enough, so that reading needs no write.
OF_TOKEN = """
WITH found AS (SELECT * FROM api_token WHERE token_hash = $1 AND revoked_at IS NULL),
used AS (
    UPDATE api_token SET last_used_at = now() FROM found
    WHERE api_token.id = found.id
      AND (found.last_used_at IS NULL OR found.last_used_at < now() - interval '1 minute'))
SELECT id, name, scopes, created_at, last_used_at, revoked_at FROM found
"""

LIST_TOKENS = """
SELECT id, name, scopes, created_at, last_used_at, revoked_at FROM api_token ORDER BY created_at
"""

REVOKE_TOKEN = """
UPDATE api_token SET revoked_at = now() WHERE revoked_at IS NULL AND (name = $1 OR id::text = $1) RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Token:
    """An API token as it is listed."""

    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


async def add_token(db: Connection, name: str, token_hash: bytes, scopes: Sequence[str]) -> UUID:
    """Stores a token's hash."""
    token_id = uuid4()
    await db.execute(ADD_TOKEN, token_id, name, token_hash, list(scopes))
    await audit.note(db, "token.created", token_id, name=name, scopes=list(scopes))
    return token_id


async def find_token(db: Connection, token_hash: bytes) -> Token | None:
    """A token that holds."""
    row = await db.fetchrow(OF_TOKEN, token_hash)
    return Token(*row) if row else None


async def list_tokens(db: Connection) -> list[Token]:
    """All tokens."""
    return [Token(*row) for row in await db.fetch(LIST_TOKENS)]


async def revoke_token(db: Connection, name: str) -> None:
    """Revokes a token by name or id."""
    token_id = await db.fetchval(REVOKE_TOKEN, name)
    if token_id is None:
        raise NotFound(f"there is no valid token called {name!r}; `ringmail token list` shows them")
    await audit.note(db, "token.revoked", token_id)
