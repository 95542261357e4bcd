"""What a browser sends, and where it may be sent on to."""

import pytest
from starlette.requests import Request

from daemon.web.forms import FORM_BYTES_MAX, NotAForm, read_form, safe_next


@pytest.mark.parametrize(
    "address",
    ["/", "/interactions?status=to_review&q=%D0%B0", "/interactions/0190", "/contacts/1?cursor=x#a", "/поиск"],
)
def test_a_page_of_ours_is_a_place_to_go_on_to(address: str) -> None:
    assert safe_next(address) == address


@pytest.mark.parametrize(
    "address",
    [
        None, "", "https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "/a\\b",
        "javascript:alert(1)", "interactions", "/\tevil", "/\n/evil.example", "/a\x00", "/login?next=/", "/logout",
        "/api/v1/interactions", "/" + "a" * 3000, " /interactions", "///evil.example", "/\u202e//evil.example",
    ],
)  # fmt: skip
def test_anything_else_leads_to_the_first_page(address: str | None) -> None:
    assert safe_next(address) == "/"


def request_with(body: bytes, content_type: str = "application/x-www-form-urlencoded") -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-type", content_type.encode())]}
    return Request(scope, receive)  # type: ignore[arg-type]


async def test_a_form_is_read_in_any_script() -> None:
    form = await read_form(request_with(b"next=%2F&q=%D0%BF%D0%B8%D1%81%D1%8C%D0%BC%D0%BE+1&q=&empty="))

    assert form == {"next": "/", "q": "", "empty": ""}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", "application/json"),
        (b"a=%FF", "application/x-www-form-urlencoded"),
        (b"a=\xff", "application/x-www-form-urlencoded"),
        (b"a=" + b"x" * FORM_BYTES_MAX, "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % n for n in range(60)), "application/x-www-form-urlencoded"),
    ],
)
async def test_what_is_no_form_of_ours_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(NotAForm):
        await read_form(request_with(body, content_type))
