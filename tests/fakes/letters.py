"""Random correspondence for threading: everything that makes it hard at once, with nothing but raw mails as the outcome."""

import random
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta

from interactions.arrivals import MailArrived
from tests.fakes.arrivals import START, mail, raw_mail

SALES = "sales@example.org"
PEOPLE = [
    f"{name}@{firm}.example"
    for name, firm in [("ivan", "north"), ("olga", "north"), ("petr", "south"), ("anna", "east")]
]
TOPICS = ["Кухня на дачу", "Ремонт холодильника", "Поставка плит в октябре"]


def correspondence(count: int, seed: int) -> list[MailArrived]:
    """Mails of some people with us, in order of time. Of the answers some have lost their ids, some name mails that are not
    there, some have ids of others; servers and Outlook put some into conversations; one in twenty goes to many."""
    chance = random.Random(seed)
    found: list[MailArrived] = []
    for n in range(count):
        person, topic = chance.choice(PEOPLE), chance.choice(TOPICS)
        sender, to = (person, SALES) if chance.random() < 0.6 else (SALES, person)
        if sender == SALES and chance.random() < 0.1:
            to = ", ".join([*PEOPLE, *(f"client{k}@many.example" for k in range(12))])
        is_answer = n > 0 and chance.random() < 0.75
        parents: tuple[str, ...] = ()
        if is_answer and chance.random() < 0.5:
            parents = tuple(str(chance.randrange(n)) for _ in range(chance.randint(1, 3)))
        if is_answer and chance.random() < 0.2:
            parents += (f"lost{chance.randrange(5)}",)
        number = str(n) if chance.random() < 0.97 or not n else str(chance.randrange(n))
        raw = raw_mail(
            number, sender, to, subject=f"Re: {topic}" if is_answer else topic, reply_to=parents[-1] if parents else None,
            references=parents, at=START + timedelta(hours=7 * n),
        )  # fmt: skip
        if chance.random() < 0.2:
            index = b"\x01" + bytes(5) + bytes([TOPICS.index(topic) + 1]) * 16 + bytes(5)
            raw = b"Thread-Index: " + b64encode(index) + b"\n" + raw
        arrival = replace(mail(raw, folder="All"), received_at=START + timedelta(hours=7 * n))
        if chance.random() < 0.1:
            arrival = replace(arrival, thread_id=f"t{chance.randrange(4)}")
        found.append(arrival)
    return found
