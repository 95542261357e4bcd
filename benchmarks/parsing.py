"""Reading mails: what one costs us with all its fields, text, attachments and new words, beside Python's own parser alone.

The mix of 20,000 mails is read slice by slice, each slice by both, one after the other, in one thread; what is compared
is processor time. Python's parser (`message_from_bytes`, `policy.default`) only makes the message: none of its headers is
read, nothing is decoded and no text is looked for. The comparison of an answer with the mail that it answers, which the
intake makes in its transaction, is measured by itself.
"""

import email
import email.policy
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

from benchmarks import corpus
from benchmarks.measured import line, ratio, spread
from interactions.mime import ParsedMail, parse
from interactions.replies import without_old

MAILS = 20_000
SLICE = 500


def run() -> None:
    """Measures, and prints the ratios."""
    mails = corpus.mails(MAILS)
    ours: list[float] = []
    answers: list[float] = []
    theirs: list[float] = []
    older: list[float] = []
    read = size = compared = 0
    while some := list(islice(mails, SLICE)):
        found: list[ParsedMail] = []
        ours.append(_seconds(partial(_ours, some, found)) / len(some))
        theirs.append(_seconds(partial(_python, some)) / len(some))
        older.append(_seconds(partial(_plain_python, some)) / len(some))
        pairs = _answers(found)
        answers.append(_seconds(partial(_compare, pairs)) / len(some))
        read, size, compared = read + len(found), size + sum(map(len, some)), compared + len(pairs)
    assert read == MAILS
    both = [one + other for one, other in zip(ours, answers, strict=True)]
    print(f"parsing: {read} mails, {size / 1e6:.0f} MB, {compared} of them answers beside the mail they answer")
    line("message_from_bytes, policy.default, microseconds a mail", spread([1e6 * one for one in theirs], ".0f"))
    line("message_from_bytes, compat32, microseconds a mail", spread([1e6 * one for one in older], ".0f"))
    line("ringmail: all fields, text, new words, microseconds a mail", spread([1e6 * one for one in ours], ".0f"))
    line("ringmail: answers beside what they answer", spread([1e6 * one for one in answers], ".0f"))
    line("the rate of ringmail / policy.default", f"{ratio(theirs, ours):.2f}")
    line("the rate with that comparison / policy.default", f"{ratio(theirs, both):.2f}")


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _ours(mails: Sequence[bytes], found: list[ParsedMail]) -> None:
    found.extend(map(parse, mails))


def _python(mails: Sequence[bytes]) -> None:
    for raw in mails:
        email.message_from_bytes(raw, policy=email.policy.default)


def _plain_python(mails: Sequence[bytes]) -> None:
    for raw in mails:
        email.message_from_bytes(raw)


def _answers(mails: Sequence[ParsedMail]) -> list[tuple[ParsedMail, str]]:
    """Answers with the text of what they answer, where both are in the slice."""
    texts = {mail.message_id: mail.body_text for mail in mails}
    return [(mail, texts[one]) for mail in mails for one in mail.in_reply_to[:1] if one in texts]


def _compare(pairs: Sequence[tuple[ParsedMail, str]]) -> None:
    for mail, older in pairs:
        without_old(mail.reply_text or mail.body_text, older, mail.body_text)
