"""What `ringmail init` leaves behind: the configuration and the secrets beside it, all of mode 0600.

    ringmail.toml     written last and renamed into place, so it is there whole or not at all
    secret.key        32 random bytes as base64
    NAME.password     of a mailbox, where the password was typed
    NAME.secret       of a telephony source, as Standard Webhooks write it

A key or a secret that is there already stays: what it has encrypted, and whoever was told it, would be lost otherwise. A
configuration that is overwritten is kept as `ringmail.toml.old`.
"""

import base64
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from connectors.telephony.signatures import PREFIX

SECRET_KEY = "secret.key"
KEY_BYTES = 32
WEBHOOK_SECRET_BYTES = 24
PRIVATE = 0o600


def write_private(path: Path, content: str | bytes, *, replaces: bool) -> None:
    """Writes a file that only we may read, whole or not at all. Raises FileExistsError, or OSError."""
    draft = path.with_name(f"{path.name}.{token_hex(4)}.new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, PRIVATE)
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(descriptor)
        if replaces:
            draft.rename(path)
        else:
            os.link(draft, path)  # fails where somebody was quicker, as a rename would not
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def keep_or_write(path: Path, content: str) -> str:
    """Writes a secret unless one is there; the one that holds."""
    with suppress(FileExistsError):
        write_private(path, content + "\n", replaces=False)
    return path.read_text("utf-8").strip("\r\n")


def new_key() -> str:
    """For `secret.key`."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def new_webhook_secret() -> str:
    """For a telephony source."""
    return PREFIX + base64.b64encode(secrets.token_bytes(WEBHOOK_SECRET_BYTES)).decode()


def keep_old(path: Path) -> Path | None:
    """A copy of what is about to be overwritten, if there is something."""
    if not path.exists():
        return None
    old = path.with_name(f"{path.name}.old")
    shutil.copy2(path, old)
    old.chmod(PRIVATE)
    return old
