"""What a browser sends in forms, and where it may be sent on to."""

from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from starlette.requests import Request

FORM_BYTES_MAX = 20_000
FIELDS_MAX = 50
ADDRESS_CHARS_MAX = 2_000


class NotAForm(ValueError):
    """The body is larger than a form of ours, or no form."""


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form (URL-encoded); of several with one name the last. Raises NotAForm."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise NotAForm
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > FORM_BYTES_MAX:
            raise NotAForm
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError:
        raise NotAForm from None
    return {name: value for name, value in pairs if "\x00" not in value}


def safe_next(address: str | None) -> str:
    """A place among our pages, or the first page for anything else. Browsers read `\\` as `/` and drop control characters,
    so an address with either is none of ours."""
    if not address or len(address) > ADDRESS_CHARS_MAX or not address.isprintable():
        return "/"
    if not address.startswith("/") or address.startswith("//") or "\\" in address:
        return "/"
    parts = urlsplit(address)
    if parts.scheme or parts.netloc or parts.path in ("/login", "/logout") or parts.path.startswith("/api/"):
        return "/"
    return address


def read_id(text: str) -> UUID | None:
    """An id in an address; None for what is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
