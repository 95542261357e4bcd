"""The written file loads again and says what was answered."""

from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.load import loads
from config.write import Answers, MailboxAnswers, TelephonyAnswers, render

ANSWERS = Answers(
    data_dir="/srv/ringmail",
    public_url="https://crm.example.org",
    language="en",
    timezone="Europe/Berlin",
    default_region="DE",
    listen="[::1]:9000",
    mailboxes=(
        MailboxAnswers("sales", "sales@example.org", "imaps://imap.example.org", "", "sales", "env:PASSWORD"),
        MailboxAnswers("info", "info@example.org", "imap://localhost:143", "smtp://127.0.0.1", "info", 'q"\\#\n'),
    ),
    telephony=(TelephonyAnswers("pbx", "env:PBX", {"+74951234567": "anna@example.org", "+74951234568": ""}),),
)
ENVIRON = {"PASSWORD": "one", "PBX": "two-of-a-good-length"}


def test_what_was_answered_is_what_is_loaded(tmp_path: Path) -> None:
    loaded = loads(render(ANSWERS), tmp_path, ENVIRON)

    sales, info = loaded.settings.mailboxes
    assert loaded.warnings == ()
    assert loaded.settings.data_dir == Path("/srv/ringmail")
    assert str(loaded.settings.http.listen) == "[::1]:9000"
    assert sales.smtp is None
    assert str(info.smtp) == "smtp://127.0.0.1:25"
    assert info.password is not None
    assert info.password.reveal() == 'q"\\#\n'
    assert loaded.settings.telephony[0].lines == {"+74951234567": "anna@example.org", "+74951234568": None}


def test_the_file_explains_itself() -> None:
    written = render(ANSWERS)

    assert "# what providers and people see" in written
    assert "/hooks/pbx" in written


def test_no_sources_are_fine_too(tmp_path: Path) -> None:
    assert loads(render(Answers("data", "http://localhost:1")), tmp_path, {}).settings.mailboxes == ()


@settings(max_examples=100, deadline=None)
@example("env")
@example("file")
@given(st.text(min_size=1, max_size=40).filter(lambda text: text.strip() and ":" not in text))
def test_any_password_and_login_survive(text: str) -> None:
    mailbox = MailboxAnswers("a", "a@example.org", "imaps://h", "smtps://h", text, text)

    (read,) = loads(render(Answers("d", "https://h", mailboxes=(mailbox,))), Path("/nowhere"), {}).settings.mailboxes

    assert read.user == text
    assert read.password is not None
    assert read.password.reveal() == text
