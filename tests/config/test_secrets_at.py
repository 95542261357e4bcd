"""References to secrets: where they lead, and what is said where they lead nowhere."""

from pathlib import Path

import pytest

from config.secrets_at import SECRET_BYTES_MAX, Secret, Surroundings, read


def test_a_secret_never_prints_itself() -> None:
    secret = Secret("hunter2")

    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {secret!s:>30}"
    assert secret.reveal() == "hunter2"


def test_secrets_compare_by_what_they_hold() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


def test_each_kind_of_reference_leads_to_its_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from file\n")
    (tmp_path / "cred").mkdir()
    (tmp_path / "cred" / "pass").write_text("from systemd")
    around = Surroundings(tmp_path, {"NAME": "from env", "CREDENTIALS_DIRECTORY": str(tmp_path / "cred")})

    assert read("env:NAME", around).reveal() == "from env"
    assert read("file:key", around).reveal() == "from file"
    assert read(f"file:{tmp_path}/key", around).reveal() == "from file"
    assert read("cred:pass", around).reveal() == "from systemd"
    assert not around.has_literal_secret
    assert read("as: it is", around).reveal() == "as: it is"
    assert around.has_literal_secret


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("env:NAME", "variable 'NAME' is not set"),
        ("env:EMPTY", "variable 'EMPTY' is not set or empty"),
        ("file:none", "none does not exist; create it"),
        ("file:empty", "is empty"),
        ("file:large", "is larger than"),
        ("file:binary", "is not UTF-8 text"),
        ("file:.", "Is a directory"),
        ("file:" + "x" * 5_000, "can't be read: File name too long"),
        ("file:\0", "not a usable path"),
        ("cred:pass", r"LoadCredential=pass:PATH"),
        ("", "the secret is empty"),
        ("  ", "the secret is empty"),
    ],
)
def test_a_reference_that_leads_nowhere_says_what_to_do(tmp_path: Path, reference: str, said: str) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "large").write_bytes(b"x" * (SECRET_BYTES_MAX + 1))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")

    with pytest.raises(ValueError, match=said):
        read(reference, Surroundings(tmp_path, {"EMPTY": ""}))


@pytest.mark.parametrize("name", ["", "..", "../etc/passwd", "a/b"])
def test_a_credential_never_leaves_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="without a path"):
        read(f"cred:{name}", Surroundings(tmp_path, {"CREDENTIALS_DIRECTORY": str(tmp_path)}))


def test_a_file_that_everyone_can_read_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret")
    around = Surroundings(tmp_path)

    (tmp_path / "key").chmod(0o640)
    read("file:key", around)
    assert around.warnings == []

    (tmp_path / "key").chmod(0o644)
    read("file:key", around)
    assert "chmod 600" in around.warnings[0]
