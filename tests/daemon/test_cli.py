"""The command as a whole: every error is a sentence and an exit code, and no traceback reaches a user unasked."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from storage.database import Connection
from storage.state_folder import FolderLock
from tests.fakes.command import Ringmail, ask
from tests.fakes.sources import ROOT

BROKEN = """
langauge = "ru"
timezone = "Mars/Olympus"

[[mailbox]]
name = "sales"
address = "sales@example.org"
imap = "imap://imap.example.org"
password = "env:NO_SUCH_VARIABLE"
poll_seconds = "120"
"""


@pytest.fixture
def ringmail(tmp_path: Path, dsn: str) -> Ringmail:
    command = Ringmail(tmp_path, dsn)
    command.configure()
    return command


@pytest.mark.parametrize(
    "arguments", [("fly",), ("--loudly", "status"), ("sync",), ("status", "now"), ("demo", "--port", "x"), ("user",)]
)
def test_wrong_usage_is_2(ringmail: Ringmail, arguments: tuple[str, ...]) -> None:
    said = ringmail(*arguments)

    assert said.code == 2
    assert said.err
    assert "Traceback" not in said.err


def test_help_and_version_need_no_configuration(tmp_path: Path) -> None:
    nowhere = Ringmail(tmp_path)

    version, told = nowhere("--version"), nowhere("--help")

    assert (version.code, told.code) == (0, 0)
    assert version.out.startswith("ringmail ")
    assert "token" in told.out


@pytest.mark.parametrize("command", ["run", "status", "check", "health"])
def test_no_configuration_is_3_and_says_where_it_was_looked_for(tmp_path: Path, command: str) -> None:
    nowhere = Ringmail(tmp_path)

    said = nowhere.apart(command) if command == "run" else nowhere(command)

    assert said.code == 3
    assert str(tmp_path / "ringmail.toml") in said.out + said.err


@pytest.mark.parametrize("command", ["run", "status", "check"])
def test_a_broken_configuration_is_3_with_every_mistake_on_its_line(ringmail: Ringmail, command: str) -> None:
    ringmail.path.write_text(BROKEN)

    said = ringmail.apart(command) if command == "run" else ringmail(command)

    told = said.out + said.err
    assert said.code == 3
    assert [f":{line}: " in told for line in (2, 3, 8, 9, 10)] == [True] * 5
    assert "did you mean 'language'" in told
    assert "mailbox[0].password (sales)" in told


def test_a_data_folder_in_use_is_1_and_names_the_process(tmp_path: Path) -> None:
    command = Ringmail(tmp_path)
    command.configure()
    (tmp_path / "data").mkdir()
    lock = FolderLock(tmp_path / "data")  # as a daemon that is just starting holds it

    said = command("token", "list")

    lock.release()
    assert said.code == 1
    assert f"in use by process {os.getpid()}" in said.err
    assert len(said.err.splitlines()) == 1


def test_a_second_daemon_hears_which_process_holds_the_folder_not_only_that_the_port_is_taken(tmp_path: Path) -> None:
    command = Ringmail(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as first:
        command.configure(http={"listen": f"127.0.0.1:{first.getsockname()[1]}"})
        (tmp_path / "data").mkdir()
        lock = FolderLock(tmp_path / "data")
        lock.write("postgresql:///ringmail")

        said = command.apart("run")

        lock.release()
    assert said.code == 1
    assert f"in use by process {os.getpid()}" in said.err


def test_a_daemon_that_is_just_starting_is_waited_for(tmp_path: Path, dsn: str) -> None:
    command = Ringmail(tmp_path)
    command.configure()
    (tmp_path / "data").mkdir()
    lock = FolderLock(tmp_path / "data")
    started = threading.Timer(0.3, lock.write, (dsn,))
    started.start()

    said = command("token", "create", "crm")

    started.join()
    lock.release()
    assert said.code == 0


def test_a_database_of_a_newer_version_is_1(ringmail: Ringmail) -> None:
    async def newer(db: Connection) -> None:
        await db.execute("INSERT INTO schema_migration VALUES (9999, '9999_later', 'x')")

    asyncio.run(ask(ringmail.dsn, newer))

    said = ringmail("status")

    assert said.code == 1
    assert "newer than this program: it is at migration 9999_later" in said.err


def test_a_database_that_is_away_is_1_without_its_password(ringmail: Ringmail) -> None:
    ringmail.configure(database={"dsn": "postgresql://anna:geheim@127.0.0.1:1/ringmail"})

    said = ringmail("status")

    assert said.code == 1
    assert "cannot be reached" in said.err
    assert "geheim" not in said.err


def test_what_nobody_expected_is_a_line_and_a_traceback_only_when_asked_for(ringmail: Ringmail) -> None:
    async def damage(db: Connection) -> None:
        await db.execute("DROP TABLE api_token")

    asyncio.run(ask(ringmail.dsn, damage))

    said, told = ringmail("token", "list"), ringmail("--debug", "token", "list")

    assert (said.code, told.code) == (1, 1)
    assert len(said.err.splitlines()) == 1
    assert "--debug" in said.err
    assert "Traceback" in told.err


def test_a_port_that_is_taken_is_1(ringmail: Ringmail) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        ringmail.configure(http={"listen": f"127.0.0.1:{port}"})

        ran, checked = ringmail.apart("run"), ringmail("check", "--json")

    assert ran.code == 1
    assert f"127.0.0.1:{port}" in ran.err
    assert "Traceback" not in ran.err
    assert checked.code == 1
    assert [one["state"] for one in checked.json["items"] if one["name"] == "http.listen"] == ["broken"]


def test_who_stops_reading_our_answer_hears_no_complaint(ringmail: Ringmail) -> None:
    command = [sys.executable, "-m", "daemon", "--config", str(ringmail.path), "token", "list"]
    reader, writer = os.pipe()
    os.close(reader)

    ended = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=50)

    os.close(writer)
    assert ended.stderr == b""


def test_ctrl_c_is_130(ringmail: Ringmail) -> None:
    command = [sys.executable, "-m", "daemon", "--config", str(ringmail.folder / "new.toml"), "init"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as asking:
        assert asking.stderr is not None
        asking.stderr.read(5)  # it has begun to ask

        asking.send_signal(signal.SIGINT)

        assert asking.wait(50) == 130
        assert b"Traceback" not in asking.stderr.read()
    assert not (ringmail.folder / "new.toml").exists()
