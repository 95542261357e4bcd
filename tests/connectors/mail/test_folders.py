"""Which folders are read, and what each is for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mail.answers import Listed
from connectors.mail.arguments import encode_name
from connectors.mail.foldernames import NAMES, folded, read
from connectors.mail.folders import DEFAULT, Folder, choose


def listed(*words: str, delimiter: str = "/") -> list[Listed]:
    """Folders written as `name \\Mark \\Mark`, marks after two spaces."""
    found = []
    for word in words:
        name, _, marks = word.partition("  ")
        found.append(Listed(encode_name(name), name, delimiter, frozenset(marks.lower().split())))
    return found


def chosen(folders: list[Listed], *patterns: str) -> list[tuple[str, str]]:
    return [(folder.name, folder.role) for folder in choose(folders, patterns or DEFAULT)]


def names(folders: list[Listed], *patterns: str) -> list[str]:
    return [name for name, _ in chosen(folders, *patterns)]


def test_by_default_all_but_junk_trash_and_drafts() -> None:
    folders = listed("Клиенты", "Sent  \\Sent", "Junk  \\Junk", "Bin  \\Trash", "Drafts  \\Drafts", "INBOX")

    assert chosen(folders) == [("INBOX", "inbox"), ("Sent", "sent"), ("Клиенты", "")]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Спам", "junk"),
        ("Удалённые", "trash"),
        ("удаленные", "trash"),
        ("Корзина", "trash"),
        ("Черновики", "drafts"),
        ("Отправленные", "sent"),
        ("Sent Items", "sent"),
        ("SENT  ITEMS", "sent"),
        ("INBOX/Sent", "sent"),
        ("[Gmail]/Sent Mail", "sent"),
        ("Gelöschte Elemente", "trash"),
        ("E\u0301le\u0301ments envoye\u0301s", "sent"),
        ("ELEMENTS ENVOYES", "sent"),
        ("Wysłane", "sent"),
        ("Wiadomości-śmieci", "junk"),
        ("GÖNDERİLMİŞ ÖĞELER", "sent"),
        ("寄件備份", "sent"),
        ("ｼﾞｬﾝｸ", ""),
        ("Concept", ""),
        ("Projects/Sent", ""),
        ("INBOX/Projects/Sent", ""),
        ("Sentimental", ""),
        ("inbox", "inbox"),
    ],
)
def test_without_marks_the_name_tells(name: str, role: str) -> None:
    [(_, found)] = chosen(listed(name.replace("  ", " ")), "*")

    assert found == role


def test_names_are_known_in_many_languages_and_mean_one_thing() -> None:
    meant: dict[str, set[str]] = {}
    for role, table in NAMES.items():
        for names_ in read(table).values():
            for name in names_:
                meant.setdefault(folded(name), set()).add(role)

    assert all(len(read(table)) >= 25 and "ru" in read(table) for table in NAMES.values())
    assert "" not in meant
    assert [name for name, roles in meant.items() if len(roles) > 1] == []


def test_it_is_kept_what_told_the_role() -> None:
    found = choose(listed("INBOX", "Отправленные", "Mine  \\Archive", "Work"), ("*",))

    assert {folder.name: folder.known_by for folder in found} == {
        "INBOX": "mark",
        "Отправленные": "name",
        "Mine": "mark",
        "Work": "",
    }


def test_marks_win_over_names() -> None:
    folders = listed("Spam", "Нежелательное  \\Junk", "INBOX  \\Junk")

    assert names(folders) == ["INBOX", "Spam"]


def test_old_marks_of_google_count() -> None:
    assert names(listed("INBOX  \\Inbox", "x  \\Spam", "y  \\AllMail")) == ["INBOX", "y"]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (("INBOX",), ["INBOX"]),
        (("inbox",), ["INBOX"]),
        (("%",), ["INBOX", "Sent", "Work"]),
        (("Work/%",), ["Work/a"]),
        (("Work/*",), ["Work/a", "Work/a/b"]),
        (("*b",), ["Work/a/b"]),
        (("\\Sent",), ["Sent"]),
        (("*", "-Work*"), ["INBOX", "Sent"]),
        (("-Work*", "*"), ["INBOX", "Sent"]),
        (("*", "-\\Sent", "-\\Inbox"), ["Work", "Work/a", "Work/a/b"]),
        (("\\Nonsense",), []),
        (("", "."), []),
        ((), []),
    ],
)
def test_patterns(patterns: tuple[str, ...], expected: list[str]) -> None:
    folders = listed("Work", "Work/a", "Work/a/b", "Sent  \\Sent", "INBOX")

    assert [folder.name for folder in choose(folders, patterns)] == expected


def test_letters_are_compared_without_case_and_yo_is_ye() -> None:
    assert names(listed("Счёт", "ОПЛАТА"), "счет", "оплата") == ["Счёт", "ОПЛАТА"]


def test_a_wildcard_does_not_bring_in_views_of_other_folders_but_their_name_does() -> None:
    folders = listed("INBOX", "[Gmail]/Starred  \\Flagged", "[Gmail]/Important  \\Important")

    assert names(folders) == ["INBOX"]
    assert names(folders, "[Gmail]/Starred") == ["[Gmail]/Starred"]


def test_what_holds_no_mail_is_skipped_and_each_name_is_taken_once() -> None:
    folders = listed("a  \\Noselect", "b  \\NonExistent", "c", "c", "x" * 1001)

    assert names(folders, "*") == ["c"]


def test_a_server_without_levels() -> None:
    assert names(listed("a/b", "c", delimiter=""), "%") == ["a/b", "c"]


GOOGLE = (
    "INBOX",
    "Work",
    "[Gmail]/All Mail  \\All",
    "[Gmail]/Drafts  \\Drafts",
    "[Gmail]/Sent Mail  \\Sent",
    "[Gmail]/Spam  \\Junk",
    "[Gmail]/Trash  \\Trash",
    "[Gmail]/Starred  \\Flagged",
)


def of_google(*patterns: str, with_junk: bool = False) -> list[Folder]:
    return choose(listed(*GOOGLE), patterns or DEFAULT, with_junk, has_labels=True)


def test_of_labels_all_mail_is_read_and_new_mail_comes_there() -> None:
    [all_mail] = of_google()

    assert (all_mail.name, all_mail.role, all_mail.is_home) == ("[Gmail]/All Mail", "all", True)
    assert [folder.name for folder in of_google("*", "-\\Drafts")] == [
        "[Gmail]/Spam",
        "[Gmail]/Trash",
        "[Gmail]/All Mail",
    ]
    assert [folder.role for folder in of_google(with_junk=True)] == ["junk", "all"]


def test_a_mail_with_the_label_of_a_folder_that_is_left_out_is_hidden() -> None:
    [all_mail] = of_google(*DEFAULT, "-Work", "-\\Inbox")

    assert all_mail.is_hidden(["work"])
    assert all_mail.is_hidden({"\\Draft", "Other"})
    assert all_mail.is_hidden(["\\Inbox"])
    assert not all_mail.is_hidden(["\\Sent", "Other"])
    assert not all_mail.is_hidden(None)


def test_a_label_tells_what_was_sent() -> None:
    [all_mail] = of_google()

    assert all_mail.role_with(["\\Sent"]) == "sent"
    assert all_mail.role_with(["Work"]) == "all"
    assert all_mail.role_with(None) == "all"


def test_labels_are_folders_where_all_mail_is_not_shown_or_not_wanted() -> None:
    assert [folder.name for folder in of_google("INBOX", "\\Sent")] == ["INBOX", "[Gmail]/Sent Mail"]
    assert [folder.name for folder in choose(listed("INBOX", "Work"), has_labels=True)] == ["INBOX", "Work"]


def test_without_labels_all_mail_is_read_after_the_others() -> None:
    assert [folder.role for folder in choose(listed(*GOOGLE))] == ["inbox", "sent", "", "all"]


@given(st.lists(st.text(alphabet="*%-\\ab/.[", max_size=12), max_size=5), st.lists(st.text(max_size=20), max_size=5))
def test_any_pattern_and_any_name(patterns: list[str], found: list[str]) -> None:
    folders = [Listed(name.encode("utf-8", "replace"), name, "/", frozenset()) for name in found]

    assert {folder.name for folder in choose(folders, patterns)} <= set(found)


def test_a_pattern_of_many_wildcards_does_not_take_long() -> None:
    assert names(listed("a" * 1000), "*" * 500 + "b") == []
    assert names(listed("a" * 200), "*a*a*a*b") == []
