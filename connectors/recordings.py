"""How a recording is asked for: its link as the provider gave it, or with what the provider wants besides.

    twilio    RecordingUrl with .mp3, HTTP Basic with account_sid and auth_token; these go to Twilio's own host only
    others    the link as it is

Limits: providers that name a recording and give its link only when they are asked (Mango Office, Zadarma) are not asked.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from config.telephony_settings import Telephony

TWILIO = "api.twilio.com"
LINK_BYTES_MAX = 2500  # what an index of the database bears


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to get, and who we are there."""

    url: str
    login: tuple[str, str] | None = field(default=None, repr=False)


def is_link(recording: str) -> bool:
    """Whether it is a link that can be kept, and no name."""
    try:
        return bool(urlsplit(recording).hostname) and _is_of_web(recording)
    except ValueError:  # for example of a bracket that is never closed
        return False


def _is_of_web(recording: str) -> bool:
    return recording.startswith(("https://", "http://")) and len(recording.encode("utf-8", "replace")) <= LINK_BYTES_MAX


def wanted(table: Telephony, link: str) -> Wanted:
    """The request for a recording."""
    parts = urlsplit(link)
    if table.type == "twilio" and parts.scheme == "https" and parts.hostname == TWILIO and table.auth_token is not None:
        has_form = parts.path.rpartition("/")[2].endswith((".mp3", ".wav"))
        return Wanted(link if has_form else f"{link}.mp3", (table.account_sid, table.auth_token.reveal()))
    return Wanted(link)
