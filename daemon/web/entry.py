"""Signing in and out: by e-mail and password, or by a link that works once.

    GET  /login                the form
    GET  /login?once=SECRET    a page with one button, which a script presses: programs that look at links before people
                               do (mail scanners, previews) must not use them up
    POST /login                signs in, and goes on to `next`, which is always a page of ours
    POST /logout               signs out

The path is open, so where the request comes from is checked here. Passwords are tried at most `TRIES_MAX` times in
`TRIES_MINUTES` per account and network address; a wrong password and an unknown account are told in the same words and
take the same time. Of a session only the hash of its secret is stored.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from fastapi import APIRouter, Request
from starlette.datastructures import State
from starlette.responses import RedirectResponse, Response

from daemon.auth import COOKIE, SECRET_CHARS_MAX, client_address, comes_from_us, find_viewer, serving_of
from daemon.passwords import check_password, digest, new_secret
from daemon.web import language
from daemon.web.forms import NotAForm, read_form, safe_next
from daemon.web.render import Place, is_secure, page, place_of
from daemon.web.tries import Tries
from interactions.addresses import email_key
from storage import people
from storage.database import Connection

LOG = structlog.get_logger()
SESSION_DAYS = 30
TRIES_MAX = 10
TRIES_MINUTES = 10
CHECKS_AT_ONCE = 2  # each takes a core and some megabytes for a while
EMAIL_CHARS_MAX = 320

router = APIRouter(include_in_schema=False)


class Guard:
    """What sign-in remembers between requests; one for an application."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.tries = Tries(TRIES_MAX, TRIES_MINUTES * 60, clock)
        self.checks = asyncio.Semaphore(CHECKS_AT_ONCE)


def guard_of(state: State) -> Guard:
    """The guard of an application, made when it is first needed."""
    if not hasattr(state, "sign_in_guard"):
        state.sign_in_guard = Guard()
    found: Guard = state.sign_in_guard
    return found


@router.get("/login")
async def show(request: Request) -> Response:
    """The form; whoever is signed in already goes on."""
    place = place_of(request)
    wanted = safe_next(request.query_params.get("next"))
    once = request.query_params.get("once", "")
    if not once and await find_viewer(serving_of(request), request) is not None:
        return RedirectResponse(wanted, 303)
    return _form(place, wanted, once=once[:SECRET_CHARS_MAX])


@router.post("/login")
async def sign_in(request: Request) -> Response:
    """Signs in."""
    place = place_of(request)
    say = place.spoken.words.gettext
    if not comes_from_us(request.headers):
        return _form(place, "/", 403, say("This form was not sent by our own page. Please try again here."))
    try:
        form = await read_form(request)
    except NotAForm:
        return _form(place, "/", 400, say("This could not be read. Please try again."))
    wanted = safe_next(form.get("next"))
    if form.get("once"):
        return await _by_link(place, form["once"][:SECRET_CHARS_MAX], wanted)
    return await _by_password(place, form.get("email", "")[:EMAIL_CHARS_MAX].strip(), form.get("password", ""), wanted)


@router.post("/logout")
async def sign_out(request: Request) -> Response:
    """Ends the session."""
    cookie = request.cookies.get(COOKIE)
    if cookie:
        async with serving_of(request).database.connection() as db:
            await people.end_session(db, digest(cookie))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=is_secure(request))
    return answer


async def _by_link(place: Place, once: str, wanted: str) -> Response:
    async def work(db: Connection) -> tuple[str, people.User] | None:
        user_id = await people.use_once_link(db, digest(once))
        if user_id is None:
            return None
        secret = new_secret()
        await people.add_session(db, digest(secret), user_id, _end_of_session())
        user = await people.user_of_session(db, digest(secret))
        return (secret, user) if user else None

    found = await serving_of(place.request).database.in_transaction(work)
    if found is None:
        say = place.spoken.words.gettext
        return _form(place, wanted, 401, say("This link was used already or has expired. Ask for a new one."))
    return _welcome(place, *found, wanted)


async def _by_password(place: Place, email: str, password: str, wanted: str) -> Response:
    say, ngettext = place.spoken.words.gettext, place.spoken.words.ngettext
    database = serving_of(place.request).database
    guard = guard_of(place.request.app.state)
    key = email_key(email)
    account = key.value if key else email.casefold()
    remote = client_address(place.request, place.settings.http.trusted_proxies)
    wait = guard.tries.wait((account, remote))
    if wait > 0:
        minutes = int(wait // 60) + 1
        text = ngettext(
            "Too many tries. Try again in %(num)d minute.", "Too many tries. Try again in %(num)d minutes.", minutes
        )
        answer = _form(place, wanted, 429, text % {"num": minutes}, email)
        answer.headers["Retry-After"] = str(int(wait) + 1)
        return answer
    async with database.connection() as db:
        found = await people.find_by_email(db, account)
    user, stored = found or (None, None)
    async with guard.checks:
        is_right = await asyncio.to_thread(check_password, stored, password)
    if user is None or not is_right or user.disabled_at is not None:
        LOG.info("a sign-in was refused", user=str(user.id) if user else None, remote=remote)
        return _form(place, wanted, 401, say("The e-mail or the password is wrong."), email)
    guard.tries.forget((account, remote))
    secret = new_secret()
    async with database.connection() as db:
        await people.add_session(db, digest(secret), user.id, _end_of_session())
    return _welcome(place, secret, user, wanted)


def _end_of_session() -> datetime:
    return datetime.now(UTC) + timedelta(days=SESSION_DAYS)


def _welcome(place: Place, secret: str, user: people.User, wanted: str) -> Response:
    answer = RedirectResponse(wanted, 303, {"Cache-Control": "no-store"})
    answer.set_cookie(
        COOKIE, secret, max_age=SESSION_DAYS * 86_400, path="/", httponly=True, samesite="lax",
        secure=is_secure(place.request),
    )  # fmt: skip
    if user.language:
        answer.delete_cookie(language.COOKIE, path="/")  # whoever sat here before may have spoken another
    return answer


def _form(
    place: Place, wanted: str, status: int = 200, error: str = "", email: str = "", *, once: str = ""
) -> Response:
    template = "once.html" if once else "login.html"
    return page(place, template, status, wanted=wanted, error=error, email=email, once=once)
