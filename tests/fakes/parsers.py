"""Parsers for tests of the processes that read mails: each mail's subject says what reading it does.

A deed with a folder as its word leaves an empty file there, named by the process, so that a test knows it has begun.
"""

import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path

from interactions.mime import ParsedMail, parse


def heavy(subject: str) -> bytes:
    """A mail that is not read on the loop."""
    return b"From: a@x.example\r\nSubject: %s\r\n\r\n" % subject.encode() + b"A line of no meaning.\r\n" * 15_000


def obey(raw: bytes) -> ParsedMail:
    """Reads a mail as the daemon does, unless its subject names a deed."""
    mail = parse(raw)
    deed, _, word = mail.subject.partition(" ")
    deeds = {
        "hang": hang,
        "spin": spin,
        "eat": eat,
        "crash": lambda _: ctypes.string_at(0),
        "abort": lambda _: os.abort(),
        "leave": lambda _: os._exit(3),
        "quit": lambda _: sys.exit("enough"),
        "raise": int,
        "babble": babble,
        "die": lambda _: os.kill(os.getpid(), signal.SIGKILL),
        "die_once": die_once,
        "write": lambda word: Path(word).write_text("mine"),
    }
    if deed == "answer":
        return ANSWERS[word]  # type: ignore[return-value]
    if deed == "look":
        return ParsedMail(subject=json.dumps(surroundings()))
    if deed in deeds:
        deeds[deed](word)
    return mail


ANSWERS = {
    "nothing": None,
    "number": 42,
    "path": Path("/"),
    "much": ParsedMail(body_text="x" * (33 << 20)),
    "code": obey,
}


def begin(folder: str) -> bool:
    """False if a process has begun here before."""
    place = Path(folder)
    is_first = not any(place.iterdir())
    (place / str(os.getpid())).touch()
    return is_first


def hang(folder: str) -> None:
    begin(folder)
    time.sleep(3600)


def spin(_: str) -> None:
    while True:
        pass


def eat(_: str) -> None:
    food = []
    while True:
        food.append(bytearray(1 << 20))


def die_once(folder: str) -> None:
    if begin(folder):
        os.kill(os.getpid(), signal.SIGKILL)


def babble(_: str) -> None:
    """Says something to everybody who may listen."""
    for descriptor in range(10):
        try:
            os.write(descriptor, b"\xff" * 100)
        except OSError:
            continue


def surroundings() -> dict[str, object]:
    """What a process is given by the daemon."""
    files = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            files.append(os.readlink(f"/proc/self/fd/{descriptor}").partition(":")[0])
        except OSError:
            continue
    return {"files": files, "variables": sorted(os.environ), "session": os.getsid(0)}
