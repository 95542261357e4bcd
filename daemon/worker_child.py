"""The process that reads one mail at a time for `daemon.workers`, within limits; a program of its own.

    requests (stdin)   8 bytes of length, the mail
    replies (stdout)   HEADER: verdict, whether this was the last, length; then a pickle or a reason in UTF-8
    order              READY once; then one reply to each request, until the requests end

A mail is hostile until it was read, so this process holds nothing worth having: it is given no secrets, no files and no
connections of the daemon, it can put nothing into files, start no processes and leave no core dump.
What it prints goes nowhere: the two pipes are moved away from where a library would write.

How it ends: its requests end, or Linux kills it with the thread that started it (prctl PR_SET_PDEATHSIG). The signals
that stop a daemon (SIGINT, SIGTERM, SIGHUP) are not for it. Its limits, from inside: memory gives OUT_OF_MEMORY where
Python could say so and EXIT_OUT_OF_MEMORY where it could not; processor time is bounded for each mail anew, and ends it
with SIGXCPU. The bound on waiting is the daemon's.

Limits: it runs under the daemon's account, so what that may read it could read, and the network is not closed to it;
narrowing that is for the unit of the service. Root may start processes whatever the limit says. Outside Linux there is no
PR_SET_PDEATHSIG: the process of a killed daemon ends after the mail it is at. macOS does not bound memory.
"""

import ctypes
import importlib
import os
import pickle
import resource
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from typing import IO

from interactions.mime import ParsedMail, TooComplex

LENGTH = struct.Struct(">Q")
HEADER = struct.Struct(">B?Q")
REASON_CHARS_MAX = 1000
GROWN_BYTES = 256 << 20  # a process that still holds this much after a mail is replaced
OPEN_FILES_MAX = 64  # modules are still loaded when first needed: a charset, a time zone
NICENESS = 5  # the daemon's loop goes first
EXIT_OUT_OF_MEMORY = 12

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38


class Verdict(IntEnum):
    """What a reply says. FAILED: the parser raised what it must not, or could not be loaded."""

    READY = 0
    READ = 1
    TOO_COMPLEX = 2
    OUT_OF_MEMORY = 3
    FAILED = 4


def main(parser: str, parent: int, memory_bytes: int, cpu_seconds: int) -> None:
    """`parser` names a function as `module:function`."""
    _stay_behind(parent)
    requests, replies = _take_pipes()
    try:
        parse = _load(parser)
    except Exception as error:
        _reply(
            replies, Verdict.FAILED, f"{type(error).__name__}: {error}"[:REASON_CHARS_MAX].encode("utf-8", "replace")
        )
        return
    _confine(memory_bytes)
    _reply(replies, Verdict.READY)
    try:
        while (raw := _request(requests)) is not None:
            _allow_cpu(cpu_seconds)
            verdict, content = _judge(parse, raw)
            del raw
            is_last = verdict not in (Verdict.READ, Verdict.TOO_COMPLEX) or _resident_bytes() > GROWN_BYTES
            _reply(replies, verdict, content, is_last)
            if is_last:
                return
    except MemoryError:
        os._exit(EXIT_OUT_OF_MEMORY)


def _stay_behind(parent: int) -> None:
    """Neither before the daemon nor after it."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(NICENESS)
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # RLIMIT_CORE does not bound dumps that are piped to a program
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the daemon has gone")


def _take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """The pipes under new numbers; the usual ones lead nowhere from now on."""
    requests, replies = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return os.fdopen(requests, "rb"), os.fdopen(replies, "wb")


def _load(parser: str) -> Callable[[bytes], ParsedMail]:
    module, _, name = parser.partition(":")
    found: Callable[[bytes], ParsedMail] = getattr(importlib.import_module(module), name)
    return found


def _confine(memory_bytes: int) -> None:
    """Limits that nothing read from a mail can lift. Where the system refuses one, the others hold."""
    sys.dont_write_bytecode = True
    bounds = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: OPEN_FILES_MAX,
        resource.RLIMIT_NPROC: 0,
    }
    for kind, bound in bounds.items():
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (bound, bound))


def _allow_cpu(seconds: int) -> None:
    """From now on; the limit itself counts from the start of the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


def _request(requests: IO[bytes]) -> bytes | None:
    """The next mail, or None when there will be no more."""
    head = requests.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    raw = requests.read(size)
    return raw if len(raw) == size else None


def _judge(parse: Callable[[bytes], ParsedMail], raw: bytes) -> tuple[Verdict, bytes]:
    try:
        return Verdict.READ, pickle.dumps(parse(raw), pickle.HIGHEST_PROTOCOL)
    except TooComplex as reason:
        return Verdict.TOO_COMPLEX, str(reason)[:REASON_CHARS_MAX].encode("utf-8", "replace")
    except MemoryError:
        return Verdict.OUT_OF_MEMORY, b""
    except BaseException as error:  # a panic of the native parser is not an Exception
        return Verdict.FAILED, type(error).__name__.encode()  # its text could quote the mail


def _resident_bytes() -> int:
    """What the process occupies now; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb") as told:
            return int(told.read().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _reply(replies: IO[bytes], verdict: Verdict, content: bytes = b"", is_last: bool = False) -> None:
    replies.write(HEADER.pack(verdict, is_last, len(content)))
    replies.write(content)
    replies.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
