"""Asterisk over a real connection: who is let in, what comes, and what happens when it is cut in the middle."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from connectors.base import Accepted, Batch, Refused, Report, Source, Unavailable
from connectors.telephony.ami import LINE_BYTES_MAX, LINES_MAX, Account
from connectors.telephony.asterisk import MARK, Asterisk
from interactions.arrivals import CallChanged
from interactions.records import Json
from tests.fakes.ami_server import BANNER, PASSWORD, USER, AmiServer, channels_in
from tests.fakes.asterisk_calls import SCENARIOS, SETTINGS, calls_of, wire
from tests.fakes.webhooks import FOLDER, in_words


@dataclass
class Kept:
    """An intake that keeps what it is given; it fails as often as it is told to."""

    arrivals: list[CallChanged] = field(default_factory=list)
    state: Json | None = None
    reports: list[Report] = field(default_factory=list)
    failures: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def checkpoint(self, key: str) -> Json | None:
        assert key == MARK
        return self.state

    async def accept(self, batch: Batch, after: object = None) -> Accepted:
        assert after is None
        if self.failures and batch.arrivals:
            self.failures -= 1
            raise RuntimeError("the database is away")
        self.arrivals += [one for one in batch.arrivals if isinstance(one, CallChanged)]
        if batch.checkpoint is not None:
            self.state = batch.checkpoint.state
        if any(one.event == "ended" for one in batch.arrivals if isinstance(one, CallChanged)):
            self.ended.set()
        return Accepted(len(batch.arrivals))

    async def report(self, report: Report) -> None:
        self.reports.append(report)

    async def known(self, folder: str, uidvalidity: int, uids: Sequence[int]) -> set[int]:
        raise NotImplementedError


def source_of(server: AmiServer, password: str = PASSWORD, quiet_seconds: float = 5.0) -> Asterisk:
    account = Account("127.0.0.1", server.port, USER, password, ping_seconds=0.05, quiet_seconds=quiet_seconds)
    return Asterisk(SETTINGS, account)


async def run_until_ended(source: Asterisk, kept: Kept) -> None:
    running = asyncio.create_task(source.run(kept))  # type: ignore[arg-type]  # an intake as far as it is used
    ended = asyncio.create_task(kept.ended.wait())
    await asyncio.wait([running, ended], return_when=asyncio.FIRST_COMPLETED)
    for task in (running, ended):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def test_it_plays_the_role_of_a_source() -> None:
    assert isinstance(Asterisk(SETTINGS), Source)


@pytest.mark.timeout(20)
async def test_a_recorded_call_comes_over_the_wire() -> None:
    text = (FOLDER / "asterisk/answered.ami").read_text("utf-8").replace("\n", "\r\n")
    kept = Kept()

    async with AmiServer([text]).listen() as server:
        await run_until_ended(source_of(server), kept)

    [call] = calls_of(kept.arrivals).values()
    assert in_words(call) == "incoming 79161234567 answered by 101, rings 19, talks 60"
    assert call.started_at == datetime(2026, 11, 23, 9, 30, 0, 101010, UTC)
    assert (call.line, call.users) == ("74951234567", ("101", "102"))
    assert kept.reports[-1].state == "ok"


@pytest.mark.timeout(20)
async def test_the_password_never_goes_over_the_wire() -> None:
    async with AmiServer([""]).listen() as server:
        said = await source_of(server).check()

    assert said == f"{BANNER} at 127.0.0.1:{server.port} lets {USER} in and will tell of calls"
    assert PASSWORD not in str(server.actions)


@pytest.mark.timeout(20)
async def test_a_connection_that_is_cut_in_the_middle_goes_on_with_the_same_call_and_a_mark() -> None:
    lines = SCENARIOS["answered by one of a group, after a menu"][0].strip().splitlines()
    still = [{"Channel": "PJSIP/trunk-01", "Uniqueid": "1.1", "Linkedid": "1.1"},
             {"Channel": "PJSIP/102-03", "Uniqueid": "1.3", "Linkedid": "1.1"}]  # fmt: skip
    first, second = wire("\n".join(lines[:5])), wire("\n".join(lines[9:]))
    kept = Kept()

    async with AmiServer([first + "Event: Hang", second], [[], still]).listen() as server:
        source = source_of(server)
        with pytest.raises(Unavailable, match="closed"):
            await source.run(kept)  # type: ignore[arg-type]  # an intake as far as it is used
        assert channels_in(kept.state or {}) == {"1.1", "1.2", "1.3"}
        await run_until_ended(source, kept)

    [call] = calls_of(kept.arrivals).values()
    assert in_words(call) == "incoming 79161234567 answered by 102, rings 15, talks 60"
    assert "nobody listened" in kept.reports[-1].detail
    assert channels_in(kept.state or {}) == set()


@pytest.mark.timeout(20)
async def test_a_call_that_ended_while_nobody_listened_is_closed() -> None:
    lines = SCENARIOS["answered by one of a group, after a menu"][0].strip().splitlines()
    kept = Kept()

    async with AmiServer([wire("\n".join(lines[:5])), ""]).listen() as server:
        source = source_of(server)
        with pytest.raises(Unavailable):
            await source.run(kept)  # type: ignore[arg-type]  # an intake as far as it is used
        await run_until_ended(source, kept)

    [call] = calls_of(kept.arrivals).values()
    assert (call.state, call.result, call.answered_by) == ("ended", "answered", "102")
    assert kept.arrivals[-1].extra == {"after_gap": True}


@pytest.mark.timeout(20)
async def test_what_could_not_be_stored_is_stored_first_the_next_time() -> None:
    table, wanted = SCENARIOS["missed: the caller gives up"]
    kept = Kept(failures=1)

    async with AmiServer([wire(table), ""]).listen() as server:
        source = source_of(server)
        with pytest.raises(RuntimeError):
            await source.run(kept)  # type: ignore[arg-type]  # an intake as far as it is used
        await run_until_ended(source, kept)

    [call] = calls_of(kept.arrivals).values()
    assert in_words(call) == wanted


@pytest.mark.timeout(20)
async def test_a_wrong_password_is_refused_and_says_what_to_do() -> None:
    async with AmiServer([""]).listen() as server:
        with pytest.raises(Refused, match=r"manager\.conf") as caught:
            await source_of(server, "wrong").check()

    assert caught.value.state == "needs_reauth"


@pytest.mark.parametrize("password", ["a\r\nAction: Originate", "a\nb"])
async def test_a_line_break_in_a_name_is_no_command(password: str) -> None:
    async with AmiServer([""]).listen() as server:
        account = Account("127.0.0.1", server.port, password, PASSWORD)
        with pytest.raises(Refused, match="line break"):
            await Asterisk(SETTINGS, account).check()

    assert [one["Action"] for one in server.actions] == ["Challenge"]


async def test_something_else_that_listens_there_is_refused() -> None:
    async with AmiServer([""], banner="SSH-2.0-OpenSSH_9.6").listen() as server:
        with pytest.raises(Refused, match="no manager interface"):
            await source_of(server).check()


async def test_nobody_there_is_unavailable() -> None:
    async with AmiServer([""]).listen() as server:
        pass

    with pytest.raises(Unavailable, match="not reached"):
        await source_of(server).check()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("flood", ["x" * (LINE_BYTES_MAX + 10) + "\r\n", "A: 1\r\n" * (LINES_MAX + 5)])
async def test_a_message_without_end_breaks_the_connection(flood: str) -> None:
    async with AmiServer([flood]).listen() as server:
        with pytest.raises(Unavailable, match="more than"):
            await source_of(server).run(Kept())  # type: ignore[arg-type]  # an intake as far as it is used
