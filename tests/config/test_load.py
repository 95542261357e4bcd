"""Finding the file, reading it, and saying everything that is wrong with it at once."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.lines import find_lines
from config.load import CONFIG_BYTES_MAX, Loaded, Mistake, Mistakes, find, load, loads
from config.settings import Settings
from config.tables import Table

NOWHERE = Path("/nowhere")
HOME = {"HOME": "/home/anna"}

MAILBOX = """
[[mailbox]]
name = "sales"
address = "sales@example.org"
imap = "imaps://imap.example.org"
password = "hunter2-is-no-secret"
"""


def mistakes_in(text: str, environ: dict[str, str] | None = None) -> list[Mistake]:
    with pytest.raises(Mistakes) as caught:
        loads(text, NOWHERE, environ or HOME)
    return list(caught.value.mistakes)


def test_an_empty_file_gives_the_defaults() -> None:
    loaded = loads("", NOWHERE, HOME)

    assert loaded.warnings == ()
    assert loaded.settings.data_dir == Path("/home/anna/.local/share/ringmail")
    assert loaded.settings.public_url == "http://127.0.0.1:8025"
    assert loaded.settings.database.is_embedded
    assert loaded.settings.login.secret_key is None


def test_every_mistake_is_said_at_once_in_order_of_the_lines() -> None:
    found = mistakes_in(
        """langauge = "ru"
public_url = "ftp://x"
[features]
mail_client = "yes"
[[mailbox]]
name = "sales"
imap = "imap://imap.example.org"
pol_seconds = 3
poll_seconds = 3
members = ["dept:sales",
  3]
[[telephony]]
name = "sales"
type = "generic"
"""
    )

    assert [(mistake.line, mistake.path) for mistake in found] == [
        (1, "langauge"),
        (2, "public_url"),
        (4, "features.mail_client"),
        (5, "mailbox[0]"),
        (5, "mailbox[0].address"),
        (7, "mailbox[0].imap"),
        (8, "mailbox[0].pol_seconds"),
        (9, "mailbox[0].poll_seconds"),
        (11, "mailbox[0].members[1]"),
        (12, "telephony[0].secret"),
        (13, "telephony[0].name"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("langauge = 'ru'", "ringmail.toml:1: langauge: unknown key; did you mean 'language'?"),
        ("[chains]\njoinhours = 1", "ringmail.toml:2: chains.joinhours: unknown key; did you mean 'join_hours'?"),
        ("[chains]\nx = 1", "ringmail.toml:2: chains.x: unknown key; known here are join_hours, stranger"),
        ("mailboxes = []", "ringmail.toml:1: mailboxes: unknown key; did you mean 'mailbox'?"),
        ("language = 'fr'", "ringmail.toml:1: language: must be one of 'ru' or 'en'"),
        ("language = 1", "ringmail.toml:1: language: must be one of 'ru' or 'en'"),
        ("[chains]\njoin_hours = -1", "ringmail.toml:2: chains.join_hours: must be at least 0"),
        ("[chains]\njoin_hours = '1'", "ringmail.toml:2: chains.join_hours: must be a whole number, without quotes"),
        ("[chains]\njoin_hours = true", "ringmail.toml:2: chains.join_hours: must be a whole number, without quotes"),
        (
            "[features]\nreview_flags = 1",
            "ringmail.toml:2: features.review_flags: must be true or false, without quotes",
        ),
        ("http = 3", "ringmail.toml:1: http: must be a table"),
        ("mailbox = 3", "ringmail.toml:1: mailbox: must be a list: [ … ]"),
        ("mailbox = [3]", "ringmail.toml:1: mailbox[0]: must be a table"),
        (
            MAILBOX + "\npoll_seconds = 1",
            "ringmail.toml:8: mailbox[0].poll_seconds (sales): must be at least 5",
        ),
        ("a = [", "ringmail.toml:1: is no TOML: Invalid value (at the end of the file)"),
        ("\na = b", "ringmail.toml:2: is no TOML: Invalid value (column 5)"),
    ],
)
def test_a_mistake_is_one_line_for_a_person(text: str, said: str) -> None:
    (mistake,) = mistakes_in(text)

    assert str(mistake) == said


def test_deep_nesting_and_endless_numbers_are_mistakes() -> None:
    assert "nested too deeply" in mistakes_in("a = " + "[" * 50_000)[0].message
    assert "is no TOML" in mistakes_in("a = " + "1" * 10_000)[0].message


def test_a_secret_never_shows_in_a_mistake() -> None:
    text = MAILBOX.replace("password", "pasword") + "\npassword = 7\noauth = 'hunter2-is-no-secret'"

    with pytest.raises(Mistakes) as caught:
        loads(text + "\n[database]\ndsn = 'mysql://u:hunter2-is-no-secret@h'", NOWHERE, HOME)

    assert len(caught.value.mistakes) >= 4
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None


def test_many_mistakes_are_cut_with_their_number() -> None:
    with pytest.raises(Mistakes) as caught:
        loads("\n".join(f"x{n} = 1" for n in range(300)), NOWHERE, HOME)

    assert len(caught.value.mistakes) == 300
    assert str(caught.value).endswith("… and 100 more")


def test_the_environment_wins_over_the_file_and_is_named_in_mistakes() -> None:
    text = "[http]\nlisten = '127.0.0.1:1'\ntrusted_proxies = ['10.0.0.1']"

    http = loads(text, NOWHERE, {**HOME, "RINGMAIL_HTTP__LISTEN": "127.0.0.1:2"}).settings.http
    (wrong,) = mistakes_in(text, {**HOME, "RINGMAIL_HTTP__LISTEN": "here", "RINGMAIL_HTTP_PORT": "tcp://10.0.0.1"})

    assert http.listen.port == 2
    assert len(http.trusted_proxies) == 1
    assert str(wrong).startswith("RINGMAIL_HTTP__LISTEN: http.listen: must be an address and a port")


# The file. ------------------------------------------------------------------------------------------------------------


def test_a_file_is_read_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "ringmail.toml"
    path.write_text("\N{ZERO WIDTH NO-BREAK SPACE}data_dir = 'here'\n", encoding="utf-8")

    assert load(path, HOME).settings.data_dir == tmp_path / "here"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"#" * (CONFIG_BYTES_MAX + 1), "is larger than"),
        (b"language = 'ru'\n# \xff", ":2: is not UTF-8 text"),
        (b"language = \x00", "is no TOML"),
    ],
)
def test_a_file_that_is_no_configuration_says_why(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "ringmail.toml"
    path.write_bytes(content)

    with pytest.raises(Mistakes, match=said):
        load(path, HOME)


def test_a_file_that_is_missing_or_a_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(Mistakes, match="`ringmail init` makes one"):
        load(tmp_path / "none.toml", HOME)
    with pytest.raises(Mistakes, match="can't be read: Is a directory"):
        load(tmp_path, HOME)


def test_a_readable_file_with_secrets_in_it_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "ringmail.toml"
    path.write_text(MAILBOX)
    path.chmod(0o644)

    (warning,) = load(path, HOME).warnings
    path.chmod(0o600)

    assert "chmod 600" in warning
    assert "hunter2" not in warning
    assert load(path, HOME).warnings == ()


def test_a_short_webhook_secret_is_a_warning() -> None:
    (warning,) = loads("[[telephony]]\nname='a'\ntype='generic'\nsecret='short'", NOWHERE, HOME).warnings

    assert warning.startswith("telephony[0].secret (a): is shorter than 16 characters")


def test_a_secret_that_can_not_stand_in_a_path_is_a_warning() -> None:
    text = "[[telephony]]\nname='a'\ntype='generic'\nallow_unsigned=true\nsecret='long-enough/but-with-a-slash'"

    (warning,) = loads(text, NOWHERE, HOME).warnings

    assert "percent-encoded" in warning


def test_the_first_place_with_a_file_is_taken(tmp_path: Path) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    (home / "ringmail").mkdir(parents=True)
    here.mkdir()
    environ = {"XDG_CONFIG_HOME": str(home)}
    named = tmp_path / "named.toml"
    for path in (named, home / "ringmail" / "ringmail.toml"):
        path.touch()

    assert find(None, environ, here) == home / "ringmail" / "ringmail.toml"
    (here / "ringmail.toml").touch()
    assert find(None, environ, here) == here / "ringmail.toml"
    assert find(None, {**environ, "RINGMAIL_CONFIG": str(named)}, here) == named
    assert find("../named.toml", {**environ, "RINGMAIL_CONFIG": "x"}, here).samefile(named)


def test_no_file_anywhere_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(Mistakes) as caught:
        find(None, {"HOME": str(tmp_path)}, tmp_path)
    with pytest.raises(Mistakes, match=r"looked at .*other\.toml; `ringmail init`"):
        find("other.toml", {}, tmp_path)

    assert f"{tmp_path}/ringmail.toml, {tmp_path}/.config/ringmail/ringmail.toml" in str(caught.value)
    assert "`ringmail init` makes one" in str(caught.value)


# Anything at all. -----------------------------------------------------------------------------------------------------


def outcome_of(text: str) -> Loaded | Mistakes:
    try:
        return loads(text, NOWHERE, HOME)
    except Mistakes as mistakes:
        return mistakes


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
@example("\0")
@example("[[mailbox]]\n[mailbox]")
@example("mailbox = {}\ntelephony = [[]]\nrule = [{}]\n")
@example("data_dir = '~nobody/x'\n[login]\nsecret_key = 'file:\\u0000'")
@example("[[telephony]]\nname=1\ntype=[]\nlines={''=1}\nmap={''=''}")
@example('[login]\nsecret_key = "file:' + "x" * 5000 + '"')
def test_any_text_is_loaded_or_is_mistakes(text: str) -> None:
    outcome = outcome_of(text)

    assert isinstance(outcome, Loaded) or str(outcome)


VALUES = st.recursive(
    st.one_of(
        st.text(max_size=20),
        st.integers(),
        st.booleans(),
        st.floats(),
        st.dates(),
        st.times(),
        st.datetimes(),
        st.sampled_from(["", "env:A", "file:x", "cred:y", "https://h", "imaps://[::1", "generic", "a@b.c", "~", "\0"]),
    ),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["name", "basic", "x"]), below),
    max_leaves=6,
)


def table_of(*tables: str) -> st.SearchStrategy[dict[str, object]]:
    model: type[Table] = Settings
    for name in tables:
        field = model.model_fields[name]
        inner: Any = getattr(field.annotation, "__args__", (field.annotation,))[0]
        model = getattr(inner, "__origin__", inner)
    return st.dictionaries(st.sampled_from(sorted(model.keys())), VALUES, max_size=8)


@settings(max_examples=100, deadline=None)
@given(
    table_of(),
    st.lists(table_of("mailboxes"), max_size=2),
    st.lists(table_of("telephony"), max_size=2),
    st.lists(table_of("subscribers"), max_size=2),
    st.lists(table_of("rules"), max_size=2),
)
def test_any_values_under_known_keys_are_loaded_or_are_mistakes(
    top: dict[str, object],
    mailboxes: list[dict[str, object]],
    telephony: list[dict[str, object]],
    subscribers: list[dict[str, object]],
    rules: list[dict[str, object]],
) -> None:
    whole = {**top, "mailbox": mailboxes, "telephony": telephony, "subscriber": subscribers, "rule": rules}
    text = tomlkit.dumps(whole)
    outcome = outcome_of(text)

    assert isinstance(outcome, Loaded) or "is no TOML" not in str(outcome)


# Lines. ---------------------------------------------------------------------------------------------------------------


def test_lines_are_found_past_strings_arrays_and_tables_of_every_kind() -> None:
    text = '''# first
a = """
[not.a.table] = '
"""
b = [ "]", # comment ]
  \'\'\'x
= 1\'\'\', { c = "}", d = [1,
2] } ]
[ t . "u v" ]
e = 2026-01-01 07:32:00 # ]
f.g = 1
[[m]]
h = 1
[m.n]
i = 1
[[m]]
[[m.o]]
[[m.o]]
j = {}
'''
    tomllib.loads(text)

    lines = find_lines(text)

    assert lines[("a",)] == 2
    assert lines[("b", 0)] == 5
    assert lines[("b", 1)] == 6
    assert lines[("b", 2, "c")] == 7
    assert lines[("b", 2, "d", 1)] == 8
    assert lines[("t", "u v")] == 9
    assert lines[("t", "u v", "e")] == 10
    assert lines[("t", "u v", "f", "g")] == 11
    assert lines[("m", 0, "h")] == 13
    assert lines[("m", 0, "n", "i")] == 15
    assert lines[("m", 1)] == 16
    assert lines[("m", 1, "o", 1, "j")] == 19


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="a=[]{}\"'\n\\., #1", max_size=200))
def test_lines_never_fail_and_lie_within_the_text(text: str) -> None:
    assert all(1 <= line <= text.count("\n") + 1 for line in find_lines(text).values())
