"""Secrets of the configuration: written as they are, or as a reference to where they are.

    env:NAME    a variable of the environment
    file:PATH   a file, relative to the folder of the configuration
    cred:NAME   a systemd credential: the file NAME in $CREDENTIALS_DIRECTORY (systemd.exec(5), "Credentials")
    anything else is the secret itself

A `Secret` never prints itself: `str`, `repr` and format give dots, so neither a log line nor an error can show it;
the one who needs it says `reveal()`. A reference that leads nowhere raises ValueError with a sentence that names it
and says what to do, never with its content. A file that every account of the machine can read works, but adds a
warning."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ValidationInfo

SECRET_BYTES_MAX = 64 * 1024


class Secret:
    """A text that is shown to nobody by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __str__(self) -> str:
        return "…"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))


@dataclass
class Surroundings:
    """What a configuration is read in: its folder and the environment. Collects the warnings of the reading."""

    folder: Path = field(default_factory=Path.cwd)
    environ: Mapping[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    has_literal_secret: bool = False

    def path(self, text: str) -> Path:
        """`~` is the account's home, anything relative starts at the folder of the configuration."""
        if text == "~" or text.startswith("~/"):
            home = self.environ.get("HOME")
            try:
                return (Path(home) if home else Path.home()) / text[2:]
            except RuntimeError:
                raise ValueError("~ has no meaning here: this account has no home; write the whole path") from None
        return self.folder / text


def surroundings_of(info: ValidationInfo) -> Surroundings:
    """Those handed to `model_validate`; the present folder and an empty environment where nothing was handed over."""
    return info.context if isinstance(info.context, Surroundings) else Surroundings()


def read(reference: str, around: Surroundings) -> Secret:
    """The secret behind a reference. Raises ValueError where it is missing or empty."""
    kind, mark, name = reference.partition(":")
    if not mark:
        kind = ""  # a password may be called env
    if kind == "env":
        return _from_environment(name, around)
    if kind == "file":
        return _from_file(name, around.path(name), around)
    if kind == "cred":
        return _from_credential(name, around)
    if not reference.strip():
        raise ValueError("the secret is empty; write env:NAME, file:PATH, cred:NAME or the secret itself")
    around.has_literal_secret = True
    return Secret(reference)


def _from_environment(name: str, around: Surroundings) -> Secret:
    text = around.environ.get(name, "")
    if not text:
        raise ValueError(f"the environment variable {name!r} is not set or empty; set it before starting ringmail")
    return Secret(text)


def _from_credential(name: str, around: Surroundings) -> Secret:
    folder = around.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        raise ValueError(
            "no systemd credentials here ($CREDENTIALS_DIRECTORY is not set); "
            f"add LoadCredential={name}:PATH to the unit"
        )
    if not name or "/" in name or name in {".", ".."}:
        raise ValueError("a credential is named without a path: cred:NAME")
    # systemd keeps this folder to the service alone: its rights are not ours to judge.
    return _from_file(name, Path(folder) / name, None)


def _from_file(name: str, path: Path, around: Surroundings | None) -> Secret:
    try:
        with path.open("rb") as opened:
            content = opened.read(SECRET_BYTES_MAX + 1)
            rights = path.stat().st_mode
    except FileNotFoundError:
        raise ValueError(
            f"the secret file {path} does not exist; create it with the secret as its only content"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise ValueError(f"the secret file {name!r} can't be read: {reason}") from None
    if len(content) > SECRET_BYTES_MAX:
        raise ValueError(f"the secret file {path} is larger than {SECRET_BYTES_MAX} bytes; is it the right one?")
    try:
        text = content.decode().strip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"the secret file {path} is not UTF-8 text") from None
    if not text.strip():
        raise ValueError(f"the secret file {path} is empty; write the secret into it")
    if around is not None and rights & stat.S_IROTH:
        around.warnings.append(f"{path}: every account of this machine can read this secret; chmod 600 {path}")
    return Secret(text)


def _validate(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError("must be text: env:NAME, file:PATH, cred:NAME or the secret itself")
    return read(value, surroundings_of(info))


SecretText = Annotated[Secret, BeforeValidator(_validate)]
