"""Templates become pages here: always escaped, undefined names are errors, and with headers that allow little.

Every page has a policy (Content Security Policy 3) under which only our own two static files are run and shown; no
script or style stands in the page itself. Pages are not kept by caches: they show personal data.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from urllib.parse import quote, urlencode, urlsplit

import phonenumbers
from jinja2 import Environment, PackageLoader, StrictUndefined
from phonenumbers import NumberParseException, PhoneNumberFormat
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from config.settings import Settings
from daemon.auth import API, Viewer, path_of, serving_of
from daemon.web import labels, language, rows
from interactions.phones import phone_key

LANGUAGE_DAYS = 365


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page is shown: to whom, in which language, when."""

    request: Request
    viewer: Viewer | None
    settings: Settings
    spoken: language.Language
    now: datetime

    def ago(self, at: datetime) -> str:
        return self.spoken.ago(at, self.now, self.settings.timezone)

    def exact(self, at: datetime) -> str:
        return self.spoken.exact(at, self.settings.timezone)

    def moment(self, at: datetime) -> str:
        return self.spoken.moment(at, self.settings.timezone)

    def day(self, at: datetime) -> str:
        return self.spoken.day(at, self.settings.timezone)

    def phone(self, number: object) -> str:
        """A number as a provider wrote it, as people read it."""
        key = phone_key(str(number or ""), self.settings.default_region)
        return grouped(key.value) if key else str(number or "")

    def call(self, table: Mapping[str, str], value: object) -> str:
        """What a word of the records is called in this language."""
        text = table.get(str(value))
        return self.spoken.words.gettext(text) if text else str(value or "")

    def in_language(self, code: str) -> str:
        """This page in another language."""
        kept = [pair for pair in self.request.query_params.multi_items() if pair[0] != "lang"]
        return f"{quote(path_of(self.request.scope))}?{urlencode([*kept, ('lang', code)])}"


def place_of(request: Request) -> Place:
    """Where a request stands. On the open paths nobody has looked who asks."""
    settings = serving_of(request).settings
    viewer = request.scope.get("ringmail.viewer")
    known = viewer if isinstance(viewer, Viewer) else None
    spoken = language.choose(request, known.language if known else None, settings.language)
    return Place(request, known, settings, spoken, datetime.now(UTC))


@cache
def environment(code: str) -> Environment:
    """The templates in one language."""
    made = Environment(
        loader=PackageLoader("daemon.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, extensions=["jinja2.ext.i18n"],
    )  # fmt: skip
    spoken = language.speak(code)
    made.install_gettext_translations(spoken.words, newstyle=True)  # type: ignore[attr-defined]
    made.filters.update(
        linked=rows.linked, duration=rows.duration, number=spoken.number, size=spoken.size, grouped=grouped
    )
    made.globals.update(labels=labels, static=static_address, languages=language.LANGUAGES)
    return made


def grouped(number: object) -> str:
    """A number as people read it; what is no number of the world's plan stays as it is."""
    text = str(number or "")
    if not text.startswith("+"):
        return text
    try:
        return str(phonenumbers.format_number(phonenumbers.parse(text), PhoneNumberFormat.INTERNATIONAL))
    except NumberParseException:
        return text


@cache
def static_address(name: str) -> str:
    """A static file with its version, so that a new one is fetched at once."""
    content = files("daemon.web").joinpath("static", name).read_bytes()
    return f"/static/{name}?v={sha256(content).hexdigest()[:12]}"


def markup(place: Place, template: str, **values: object) -> str:
    """A template, filled in."""
    return environment(place.spoken.code).get_template(template).render(place=place, **values)


def page(place: Place, template: str, status: int = 200, **values: object) -> Response:
    """A whole page."""
    answer = HTMLResponse(markup(place, template, **values), status, headers(place.settings))
    answer.headers["Content-Language"] = place.spoken.code
    asked = language.asked_for(place.request)
    if asked:
        answer.set_cookie(
            language.COOKIE, asked, max_age=LANGUAGE_DAYS * 86_400, path="/", httponly=True, samesite="lax",
            secure=is_secure(place.request),
        )  # fmt: skip
    return answer


def trouble(place: Place, status: int, title: str, text: str) -> Response:
    """A page that says in words what is wrong. `title` and `text` are translated already."""
    return page(place, "trouble.html", status, title=title, text=text)


def wants_page(request: Request) -> bool:
    """Whether somebody looks at this with a browser, where a program would call the API."""
    return "text/html" in request.headers.get("accept", "") and not path_of(request.scope).startswith(API)


def not_found(request: Request) -> Response:
    """There is nothing at this address."""
    place = place_of(request)
    say = place.spoken.words.gettext
    return trouble(
        place, 404, say("There is nothing here"), say("The address is wrong, or what was here has been deleted.")
    )


def withheld(place: Place) -> Response:
    """Something is there, but not for who asks."""
    say = place.spoken.words.gettext
    return trouble(place, 403, say("This is not for you to change"), say("Only members of its mailbox may do that."))


def headers(settings: Settings) -> dict[str, str]:
    """What every page is sent with."""
    ancestors = " ".join(settings.http.frame_ancestors) or "'none'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }


def is_secure(request: Request) -> bool:
    """Whether people reach us by https only."""
    serving = serving_of(request)
    return urlsplit(serving.public_url or serving.settings.public_url).scheme == "https"
