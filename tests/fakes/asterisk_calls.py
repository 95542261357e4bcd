"""Calls through Asterisk as text tables of its events, and the calls that they are.

A line: `time event field=value …`, with short names for the fields (`SHORT`). Times are minutes and seconds after 09:30.
"""

from collections.abc import Sequence
from datetime import timedelta

from connectors.telephony.ami import Message
from connectors.telephony.asterisk import AsteriskSettings, Follower
from interactions.arrivals import CallChanged
from interactions.calls import Call, group_keys, merge
from tests.fakes.ami_server import PASSWORD, USER, block
from tests.fakes.webhooks import AT

SETTINGS = AsteriskSettings("main", "127.0.0.1", 0, USER, PASSWORD)
SHORT = {
    "ch": "Channel", "id": "Uniqueid", "call": "Linkedid", "num": "CallerIDNum", "exten": "Exten", "dch": "DestChannel",
    "did": "DestUniqueid", "dcall": "DestLinkedid", "status": "DialStatus", "string": "DialString", "cause": "Cause",
    "bridge": "BridgeUniqueid", "n": "BridgeNumChannels", "app": "Application", "tech": "BridgeTechnology",
}  # fmt: skip


def fields_of(table: str) -> list[dict[str, str]]:
    """The messages of a table."""
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
    """A table as Asterisk sends it."""
    return "".join(block(one) for one in fields_of(table))


def facts_of(table: str) -> list[CallChanged]:
    """What is read from a table."""
    follower = Follower(SETTINGS, None)
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
