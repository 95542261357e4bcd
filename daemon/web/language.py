"""The two languages of the pages: their words, plural forms, dates and numbers.

The words lie in `locale/<language>/LC_MESSAGES/ringmail.po`; a catalogue is compiled when it is first wanted and kept.
The key of a message is its English text, or nearly so where Russian needs two words for one. What stands in no catalogue shows its key, and a test sees to it that nothing
does.

Which language a page has: the one that was just asked for (`?lang=`, remembered in a cookie), else that of the user,
else that of the configuration.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cache
from gettext import GNUTranslations
from importlib.resources import files
from io import BytesIO

from babel import Locale
from babel.dates import format_date, format_timedelta
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from starlette.requests import Request

LANGUAGES = ("ru", "en")
COOKIE = "ringmail_language"
_UNITS = ("B", "kB", "MB", "GB")


@dataclass(frozen=True, slots=True)
class Language:
    """One language, ready to speak."""

    code: str
    locale: Locale
    words: GNUTranslations

    def number(self, value: int) -> str:
        return str(format_decimal(value, locale=self.locale))

    def exact(self, at: datetime, zone: tzinfo) -> str:
        """The whole day and the time, for those who want to know."""
        return f"{self.day(at, zone)}, {self._time(at.astimezone(zone))}"

    def day(self, at: datetime, zone: tzinfo) -> str:
        return str(format_date(at.astimezone(zone), "long", locale=self.locale))

    def moment(self, at: datetime, zone: tzinfo) -> str:
        """A day and a time, short."""
        local = at.astimezone(zone)
        return f"{format_date(local, 'medium', locale=self.locale)}, {self._time(local)}"

    def ago(self, at: datetime, now: datetime, zone: tzinfo) -> str:
        """How long ago, as far as one wants to know it in a list."""
        local, today = at.astimezone(zone), now.astimezone(zone).date()
        seconds = (now - at).total_seconds()
        if 0 <= seconds < 60:
            return self.words.gettext("just now")
        if 0 <= seconds < 3600:
            gone = timedelta(minutes=seconds // 60)
            return str(
                format_timedelta(
                    -gone, granularity="minute", threshold=1.01, add_direction=True, format="short", locale=self.locale
                )
            )
        if local.date() == today:
            return self._time(local)
        if local.date() == today - timedelta(days=1):
            return self.words.gettext("yesterday, %(time)s") % {"time": self._time(local)}
        if abs(seconds) < 300 * 86_400:
            return str(format_date(local, self.locale.datetime_skeletons["MMMd"].pattern, locale=self.locale))
        return str(format_date(local, "medium", locale=self.locale))

    def _time(self, local: datetime) -> str:
        return f"{local:%H:%M}"

    def size(self, count: int) -> str:
        """Bytes, for people."""
        value, unit = float(count), 0
        while value >= 999.5 and unit < len(_UNITS) - 1:
            value, unit = value / 1000, unit + 1
        shown = format_decimal(round(value, 1) if unit and value < 9.95 else round(value), locale=self.locale)
        return f"{shown}\u00a0{self.words.gettext(_UNITS[unit])}"


def read_catalogue(code: str) -> Catalog:
    """The messages of a language as they are written."""
    text = files("daemon.web").joinpath("locale", code, "LC_MESSAGES", "ringmail.po").read_bytes()
    return read_po(BytesIO(text), locale=code)


@cache
def speak(code: str) -> Language:
    """A language by its code."""
    compiled = BytesIO()
    write_mo(compiled, read_catalogue(code))
    compiled.seek(0)
    return Language(code, Locale.parse(code), GNUTranslations(compiled))


def asked_for(request: Request) -> str | None:
    """The language this request asks for by name."""
    wanted = request.query_params.get("lang")
    return wanted if wanted in LANGUAGES else None


def choose(request: Request, of_user: str | None, default: str) -> Language:
    """The language of a page."""
    candidates = (asked_for(request), request.cookies.get(COOKIE), of_user, default)
    return speak(next((one for one in candidates if one in LANGUAGES), LANGUAGES[0]))
