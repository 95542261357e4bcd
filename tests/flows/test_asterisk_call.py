"""A call through Asterisk becomes a record of the whole daemon, though the connection is cut in the middle of it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from config.load import loads
from daemon.app import App
from storage.database import Database
from tests.fakes.ami_server import PASSWORD, USER, AmiServer
from tests.fakes.webhooks import FOLDER

WAIT_SECONDS = 20.0
CONFIG = """
data_dir = "data"
http = {{ listen = "127.0.0.1:0" }}
database = {{ dsn = "{dsn}" }}
[[telephony]]
name = "office"
type = "asterisk"
host = "127.0.0.1"
port = {port}
user = "{user}"
password = "{password}"
lines = {{ "+74951234567" = "" }}
"""


async def rows(database: Database, query: str) -> Sequence[Sequence[object]]:
    async with database.connection() as db:
        return [tuple(row) for row in await db.fetch(query)]


@pytest.mark.timeout(60)
async def test_a_call_is_one_record_though_the_connection_is_cut(dsn: str, database: Database, tmp_path: Path) -> None:
    messages = (FOLDER / "asterisk/answered.ami").read_text("utf-8").replace("\n", "\r\n").split("\r\n\r\n")
    first, second = ("\r\n\r\n".join([*some, ""]) for some in (messages[:5], messages[5:-1]))
    still = [{"Channel": channel, "Uniqueid": one, "Linkedid": "1795426200.41"} for channel, one in [
        ("PJSIP/mts-trunk-0000001a", "1795426200.41"), ("PJSIP/101-0000001b", "1795426212.42"),
        ("PJSIP/102-0000001c", "1795426212.43"),
    ]]  # fmt: skip

    async with AmiServer([first, second], [[], still]).listen() as server:
        text = CONFIG.format(dsn=dsn, port=server.port, user=USER, password=PASSWORD)
        app = App(loads(text, tmp_path, {}).settings, lease_seconds=1.0)
        await app.start()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not await rows(database, "SELECT 1 FROM interaction WHERE block->>'state' = 'ended'"):
                    await asyncio.sleep(0.05)
        finally:
            await app.stop()

    assert await rows(
        database,
        "SELECT direction, block->>'result', block->>'line', block->>'talk_seconds', external_id, source FROM interaction",
    ) == [("incoming", "answered", "74951234567", "60", "1795426200.41", "office")]
    [(state, detail)] = await rows(database, "SELECT state, detail FROM source WHERE name = 'office'")
    assert (state, "nobody listened" in str(detail)) == ("ok", True)
    assert server.logins == 2
