"""A large mail that has come whole is read by a process from the disk: the daemon holds no copy of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemon.workers import BRIEF_BYTES_MAX, Workers
from storage.incoming import MAPPED_BYTES_MIN, Incoming

HEAD = (
    b"From: ivan@customer.example\r\nSubject: large\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=xyz\r\n\r\n--xyz\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
    b'--xyz\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="a.bin"\r\n'
    b"Content-Transfer-Encoding: base64\r\n\r\n"
)


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    workers = Workers(1)
    await workers.start()
    yield workers
    await workers.stop()


async def test_a_process_reads_a_mail_that_is_only_mapped(workers: Workers, tmp_path: Path) -> None:
    line = b"QUJD" * 19 + b"\r\n"
    count = BRIEF_BYTES_MAX // len(line) + 1
    incoming = Incoming(tmp_path, mapped_from=1)
    for part in (HEAD, line * count, b"--xyz--\r\n"):
        await incoming.add(part)

    mail = await workers.parse(await incoming.content())
    await incoming.drop()

    assert (mail.subject, mail.body_text.strip()) == ("large", "hello")
    assert [(one.name, one.size) for one in mail.attachments] == [("a.bin", count * 57)]
    assert list(tmp_path.rglob("*.new")) == []


def test_what_may_be_read_in_place_is_never_mapped() -> None:
    assert MAPPED_BYTES_MIN > BRIEF_BYTES_MAX
