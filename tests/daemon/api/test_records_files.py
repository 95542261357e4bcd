"""Raw bytes, bodies and attachments: downloads that no browser runs, whatever a mail calls its files."""

from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote
from uuid import UUID, uuid4

import pytest

from daemon.api.attachments import file_name
from storage.database import Database
from tests.fakes.api import Api, make_api
from tests.fakes.arrivals import raw_mail
from tests.fakes.asgi import Answer

SCRIPT = b"<script>alert(document.domain)</script>"
HOSTILE = [
    ("image.svg", "image/svg+xml"), ("page.html", "text/html"), ("x.xhtml", "application/xhtml+xml"),
    ("../../etc/passwd", "text/plain"), ('a";filename="b.exe', "application/pdf"), ("a\u202egnp.exe", "image/png"),
    (".htaccess", "text/plain"), ("x" * 300 + ".txt", "text/plain"), ("<img src=x onerror=alert(1)>", "text/plain"),
    ("отчёт за год.xlsx", "application/vnd.ms-excel"), ("a\tb", "text/plain"), ("CON:", "multipart/mixed"),
]  # fmt: skip


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def brought(api: Api, *files: tuple[str, str], html: str = "") -> UUID:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ivan@customer.example", "sales@example.org", "Файлы"
    message["Date"], message["Message-ID"] = "Mon, 23 Nov 2026 09:00:00 +0000", "<1@test.example>"
    message.set_content("Простой текст")
    if html:
        message.add_alternative(html, subtype="html")
    for name, kind in files:
        main, _, sub = kind.partition("/")
        message.add_attachment(SCRIPT, maintype="application", subtype="x", filename=name)
        part = list(message.iter_attachments())[-1]
        part.replace_header("Content-Type", f"{main}/{sub}")
    [mail] = await api.mails(message.as_bytes())
    return mail


def is_harmless(answer: Answer) -> bool:
    policy = answer.headers["content-security-policy"]
    return (
        answer.headers["x-content-type-options"] == "nosniff"
        and answer.headers["cache-control"] == "private, no-store"
        and "default-src 'none'" in policy
        and "sandbox" in policy
        and "allow-scripts" not in policy
        and "allow-same-origin" not in policy
    )


async def test_attachments_leave_as_downloads_under_plain_names(api: Api) -> None:
    mail = await brought(api, *HOSTILE)
    record = (await api.get(f"/interactions/{mail}")).json
    assert len(record["attachments"]) == len(HOSTILE)

    for file in record["attachments"]:
        answer = await api.get(f"/interactions/{mail}/attachments/{file['n']}")
        assert (answer.status, answer.body) == (200, SCRIPT), file
        assert answer.headers["content-type"] == "application/octet-stream"
        assert is_harmless(answer)
        disposition = answer.headers["content-disposition"]
        assert disposition.startswith("attachment; filename*=UTF-8''")
        name = unquote(disposition.partition("''")[2])
        assert name
        assert not set(name) & set('/\\:*?"<>|\u202e\t\r\n')
        assert not name.startswith(".")
        assert len(name) <= 200


async def test_a_file_that_is_not_there_is_not_found(api: Api) -> None:
    mail = await brought(api, ("a.txt", "text/plain"))
    call = (await api.post("/interactions", {"type": "phone_call", "topic": "x"})).json["id"]

    for path in (f"{mail}/attachments/7", f"{mail}/attachments/-1", f"{mail}/attachments/{10**30}", f"{call}/attachments/0", f"{uuid4()}/attachments/0", f"{call}/raw", f"{uuid4()}/raw", f"{uuid4()}/body"):  # fmt: skip
        answer = await api.get(f"/interactions/{path}")
        assert (answer.status, answer.json["code"]) == (404, "not_found"), path
    assert (await api.get(f"/interactions/{mail}/attachments/x")).status == 422


async def test_the_original_is_given_byte_for_byte(api: Api) -> None:
    raw = raw_mail("1") + b"\xff\x00 odd\r"
    [mail] = await api.mails(raw)

    answer = await api.get(f"/interactions/{mail}/raw")

    assert (answer.status, answer.body) == (200, raw)
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["content-disposition"] == f'attachment; filename="{mail}.eml"'
    assert is_harmless(answer)


async def test_the_body_of_a_mail_is_safe_html(api: Api) -> None:
    hostile = (
        '<h1 onclick="x()">Привет</h1><script>alert(1)</script><img src="http://evil.example/p.gif" onerror=x()>'
        '<a href="javascript:alert(1)">a</a><iframe src="http://evil.example"></iframe><form action="/logout"><input name=a></form>'
        '<meta http-equiv="refresh" content="0;url=http://evil.example"><base href="http://evil.example">'
        '<div hx-get="/x" data-on-click="x" id="main">b</div><style>@import "http://evil.example"</style>'
    )  # fmt: skip
    mail = await brought(api, html=hostile)

    answer = await api.get(f"/interactions/{mail}/body")

    text = answer.body.decode()
    assert answer.headers["content-type"].startswith("text/html")
    assert is_harmless(answer)
    assert "Привет" in text
    for bad in ("<script", "onclick", "onerror", "javascript:", "<iframe", "<form", "http-equiv", "<base", "hx-get", "data-on", "@import", 'src="http', "id="):  # fmt: skip
        assert bad not in text.lower(), bad


async def test_without_html_the_body_is_the_text_as_text(api: Api) -> None:
    [mail] = await api.mails(raw_mail("1", text="<b>1 < 2</b>"))
    call = (await api.post("/interactions", {"type": "phone_call", "topic": "x", "description": "<script>"})).json["id"]

    of_mail, of_call = [await api.get(f"/interactions/{one}/body") for one in (mail, call)]

    assert [one.headers["content-type"] for one in (of_mail, of_call)] == ["text/plain; charset=utf-8"] * 2
    assert of_mail.body.decode().strip() == "<b>1 < 2</b>"
    assert of_call.body == b"<script>"
    assert is_harmless(of_mail)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("отчёт за год.xlsx", "отчёт за год.xlsx"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\x.txt", "C__x.txt"),
        (".htaccess", "htaccess"),
        ("a\x00b\r\nc\u202ed\u200b.txt", "a_b__c_d_.txt"),
        (' "x" ', "_x_"),
        ("...", ""),
        ("", ""),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("a." + "x" * 300, "." + "x" * 199),
        ("noend", "noend"),
    ],
)
def test_a_name_is_made_plain(name: str, expected: str) -> None:
    assert file_name(name) == expected
