"""Asterisk: channels are followed into calls, over a real connection that is cut in the middle.

A line of a scenario: `time event field=value …`, with short names for the fields (`SHORT`). Times are minutes and
seconds after 09:30.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from connectors.base import Accepted, Batch, Refused, Report, Source, Unavailable
from connectors.telephony.ami import LINE_BYTES_MAX, LINES_MAX, Account, Message
from connectors.telephony.asterisk import MARK, Asterisk, AsteriskSettings, Follower
from interactions.arrivals import CallChanged
from interactions.calls import Call, group_keys, merge
from interactions.records import Json
from tests.fakes.ami_server import BANNER, PASSWORD, USER, AmiServer, block, channels_in
from tests.fakes.webhooks import AT, FOLDER

SETTINGS = AsteriskSettings("main", "127.0.0.1", 0, USER, PASSWORD)
ORDERS = 300
SHORT = {
    "ch": "Channel", "id": "Uniqueid", "call": "Linkedid", "num": "CallerIDNum", "exten": "Exten", "dch": "DestChannel",
    "did": "DestUniqueid", "dcall": "DestLinkedid", "status": "DialStatus", "string": "DialString", "cause": "Cause",
    "bridge": "BridgeUniqueid", "n": "BridgeNumChannels", "app": "Application", "tech": "BridgeTechnology",
}  # fmt: skip


def fields_of(table: str) -> list[dict[str, str]]:
    found = []
    for line in table.strip().splitlines():
        moment, event, *words = line.split()
        minutes, seconds = map(int, moment.split(":"))
        at = AT + timedelta(minutes=minutes, seconds=seconds)
        fields = {"Event": event, "Timestamp": f"{at.timestamp():.6f}"}
        for word in words:
            name, _, value = word.partition("=")
            fields[SHORT[name]] = value
        if "DestUniqueid" in fields:
            fields.setdefault("DestLinkedid", fields.get("Linkedid", ""))
        found.append(fields)
    return found


def wire(table: str) -> str:
    return "".join(block(one) for one in fields_of(table))


def facts_of(table: str, follower: Follower | None = None) -> list[CallChanged]:
    follower = follower or Follower(SETTINGS, None)
    follower.read({"event": "CoreShowChannelsComplete"}, AT)
    messages: list[Message] = [{name.casefold(): value for name, value in one.items()} for one in fields_of(table)]
    return [fact for message in messages for fact in follower.read(message, AT)]


def calls_of(facts: Sequence[CallChanged]) -> dict[str, Call]:
    """The calls as the intake joins them, by the first of their names."""
    return {
        names[0]: merge(one for one in facts if one.call_key in names)
        for names in group_keys(facts)
        if any(one.call_key in names for one in facts)
    }


def in_words(call: Call) -> str:
    words = [f"{call.direction} {call.other_number} {call.result or call.state}"]
    words[0] += f" by {call.answered_by}" if call.answered_by else ""
    words[0] += f" ({call.missed_reason})" if call.missed_reason else ""
    if call.state == "ended":
        words += [f"rings {call.ring_seconds}", f"talks {call.talk_seconds}"]
    return ", ".join([*words, *(f"{one.from_who}→{one.to_who}" for one in call.transfers)])


CLIENT = "ch=PJSIP/trunk-01 id=1.1 call=1.1"
A = "dch=PJSIP/101-02 did=1.2"
B = "dch=PJSIP/102-03 did=1.3"
BEGINS = f"00:00 Newchannel {CLIENT} num=79161234567 exten=74951234567"
SCENARIOS = {
    "answered by one of a group, after a menu": (
        f"""
        {BEGINS}
        00:01 Newexten    {CLIENT} app=Background
        00:10 DialBegin   {CLIENT} {A}
        00:10 DialBegin   {CLIENT} {B}
        00:15 DialEnd     {CLIENT} {B} status=ANSWER
        00:15 DialEnd     {CLIENT} {A} status=CANCEL
        00:15 Hangup      ch=PJSIP/101-02 id=1.2 call=1.1 cause=26
        00:15 BridgeEnter ch=PJSIP/102-03 id=1.3 call=1.1 bridge=b1 n=1
        00:15 BridgeEnter {CLIENT} bridge=b1 n=2
        01:15 Hangup      ch=PJSIP/102-03 id=1.3 call=1.1 cause=16
        01:15 Hangup      {CLIENT} cause=16
        """,
        "incoming 79161234567 answered by 102, rings 15, talks 60",
    ),
    "missed: the caller gives up": (
        f"""
        {BEGINS}
        00:01 DialBegin {CLIENT} {A}
        00:20 DialEnd   {CLIENT} {A} status=CANCEL
        00:20 Hangup    ch=PJSIP/101-02 id=1.2 call=1.1 cause=26
        00:20 Hangup    {CLIENT} cause=16
        """,
        "incoming 79161234567 missed (caller_hung_up), rings 20, talks 0",
    ),
    "nobody in the queue": (
        f"""
        {BEGINS}
        00:01 QueueCallerJoin {CLIENT}
        00:40 Hangup {CLIENT} cause=16
        """,
        "incoming 79161234567 missed (unknown), rings 40, talks 0",
    ),
    "through a queue that dials by a local channel": (
        f"""
        {BEGINS}
        00:01 QueueCallerJoin {CLIENT}
        00:02 Newchannel  ch=Local/101@queue-00;1 id=1.4 call=1.1 exten=101
        00:02 Newchannel  ch=Local/101@queue-00;2 id=1.5 call=1.1 exten=101
        00:02 DialBegin   {CLIENT} dch=Local/101@queue-00;1 did=1.4
        00:02 DialBegin   ch=Local/101@queue-00;2 id=1.5 call=1.1 {A}
        00:06 DialEnd     ch=Local/101@queue-00;2 id=1.5 call=1.1 {A} status=ANSWER
        00:06 DialEnd     {CLIENT} dch=Local/101@queue-00;1 did=1.4 status=ANSWER
        00:06 BridgeEnter {CLIENT} bridge=b1 n=2
        00:36 Hangup      ch=Local/101@queue-00;1 id=1.4 call=1.1 cause=16
        00:36 Hangup      ch=Local/101@queue-00;2 id=1.5 call=1.1 cause=16
        00:36 Hangup      ch=PJSIP/101-02 id=1.2 call=1.1 cause=16
        00:36 Hangup      {CLIENT} cause=16
        """,
        "incoming 79161234567 answered by 101, rings 6, talks 30",
    ),
    "busy": (
        f"""
        {BEGINS}
        00:01 DialBegin {CLIENT} {A}
        00:02 DialEnd   {CLIENT} {A} status=BUSY
        00:03 Hangup    ch=PJSIP/101-02 id=1.2 call=1.1 cause=17
        00:03 Hangup    {CLIENT} cause=17
        """,
        "incoming 79161234567 busy, rings 3, talks 0",
    ),
    "a voice mail": (
        f"""
        {BEGINS}
        00:01 DialBegin {CLIENT} {A}
        00:20 DialEnd   {CLIENT} {A} status=NOANSWER
        00:20 Hangup    ch=PJSIP/101-02 id=1.2 call=1.1 cause=19
        00:21 Newexten  {CLIENT} app=VoiceMail
        00:50 Hangup    {CLIENT} cause=16
        """,
        "incoming 79161234567 voicemail, rings 50, talks 0",
    ),
    "outgoing": (
        """
        00:00 Newchannel  ch=PJSIP/101-02 id=2.1 call=2.1 num=101 exten=89161234567
        00:01 DialBegin   ch=PJSIP/101-02 id=2.1 call=2.1 exten=89161234567 dch=PJSIP/trunk-05 did=2.2 string=trunk/79161234567
        00:09 DialEnd     ch=PJSIP/101-02 id=2.1 call=2.1 dch=PJSIP/trunk-05 did=2.2 status=ANSWER
        00:09 BridgeEnter ch=PJSIP/101-02 id=2.1 call=2.1 bridge=b1 n=2
        00:39 Hangup      ch=PJSIP/trunk-05 id=2.2 call=2.1 cause=16
        00:39 Hangup      ch=PJSIP/101-02 id=2.1 call=2.1 cause=16
        """,
        "outgoing 89161234567 answered by 101, rings 9, talks 30",
    ),
    "click to call: our telephone first, and the customer is busy": (
        """
        00:00 Newchannel  ch=PJSIP/101-02 id=2.1 call=2.1 num=101 exten=s
        00:00 DialBegin   dch=PJSIP/101-02 did=2.1 dcall=2.1
        00:03 DialEnd     dch=PJSIP/101-02 did=2.1 dcall=2.1 status=ANSWER
        00:03 DialBegin   ch=PJSIP/101-02 id=2.1 call=2.1 exten=89161234567 dch=PJSIP/trunk-05 did=2.2
        00:06 DialEnd     ch=PJSIP/101-02 id=2.1 call=2.1 dch=PJSIP/trunk-05 did=2.2 status=BUSY
        00:07 Hangup      ch=PJSIP/trunk-05 id=2.2 call=2.1 cause=17
        00:08 Hangup      ch=PJSIP/101-02 id=2.1 call=2.1 cause=17
        """,
        "outgoing 89161234567 busy, rings 8, talks 0",
    ),
    "an attended transfer: the call to the colleague becomes part of the customer's": (
        f"""
        {BEGINS}
        00:01 DialBegin   {CLIENT} {A}
        00:05 DialEnd     {CLIENT} {A} status=ANSWER
        00:05 BridgeEnter ch=PJSIP/101-02 id=1.2 call=1.1 bridge=b1 n=2
        00:40 Newchannel  ch=PJSIP/101-07 id=3.1 call=3.1 num=101 exten=102
        00:40 DialBegin   ch=PJSIP/101-07 id=3.1 call=3.1 dch=PJSIP/102-08 did=3.2
        00:45 DialEnd     ch=PJSIP/101-07 id=3.1 call=3.1 dch=PJSIP/102-08 did=3.2 status=ANSWER
        01:00 BridgeEnter ch=PJSIP/102-08 id=3.2 call=1.1 bridge=b1 n=2
        01:00 Hangup      ch=PJSIP/101-07 id=3.1 call=1.1 cause=16
        01:00 Hangup      ch=PJSIP/101-02 id=1.2 call=1.1 cause=16
        02:05 Hangup      ch=PJSIP/102-08 id=3.2 call=1.1 cause=16
        02:05 Hangup      {CLIENT} cause=16
        """,
        "incoming 79161234567 answered by 102, rings 5, talks 120, 101→102",
    ),
    "among ourselves": (
        """
        00:00 Newchannel ch=PJSIP/101-02 id=2.1 call=2.1 num=101 exten=102
        00:00 DialBegin  ch=PJSIP/101-02 id=2.1 call=2.1 exten=102 dch=PJSIP/102-03 did=2.2
        00:04 DialEnd    ch=PJSIP/101-02 id=2.1 call=2.1 dch=PJSIP/102-03 did=2.2 status=ANSWER
        00:09 Hangup     ch=PJSIP/102-03 id=2.2 call=2.1 cause=16
        00:09 Hangup     ch=PJSIP/101-02 id=2.1 call=2.1 cause=16
        """,
        "internal 101 answered by 102, rings 4, talks 5",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_one_call_in_any_order_with_repeats(name: str) -> None:
    table, wanted = SCENARIOS[name]
    facts, chance = facts_of(table), Random(name)

    [whole] = calls_of(facts).values()

    assert in_words(whole) == wanted
    for _ in range(ORDERS):
        some = [one for one in facts for _ in range(chance.randint(1, 3))]
        chance.shuffle(some)
        assert list(calls_of(some).values()) == [whole]


@pytest.mark.parametrize(
    ("channel", "extension"),
    [
        ("PJSIP/101-0000001f", "101"), ("SIP/5001-0a", "5001"), ("PJSIP/trunk-out-0000001f", ""), ("IAX2/anna-77", ""),
        ("PJSIP/79161234567-0000001f", ""), ("Local/101@from-queue-000001;1", "101"), ("DAHDI/i1/101-1", "101"), ("", ""),
        ("PJSIP/anna-00", "anna"), ("nonsense", ""), ("PJSIP/１０１-01", ""),
    ],
)  # fmt: skip
def test_a_channel_is_ours_by_its_device(channel: str, extension: str) -> None:
    settings = AsteriskSettings(
        "main", "h", 1, USER, PASSWORD, extensions=frozenset({"anna"} if "PJSIP" in channel else ())
    )
    follower = Follower(settings, None)

    facts = follower.read(
        {"event": "Newchannel", "channel": channel, "uniqueid": "1", "linkedid": "1", "exten": "79161234567"}, AT
    )

    users = facts[0].users if facts else (extension,)
    assert users == ((extension,) if extension else ())


def test_what_says_nothing_of_a_call_is_passed_over() -> None:
    follower = Follower(SETTINGS, None)

    for message in (
        {},
        {"event": "Hangup"},
        {"event": "VarSet", "uniqueid": "1", "linkedid": "1"},
        {"response": "Success"},
    ):
        assert follower.read(message, AT) == []


# ---- over a connection


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

    async def accept(self, batch: Batch) -> Accepted:
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
