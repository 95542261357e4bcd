"""The facts of mails: written and read back whole; and SQL says who is likely to answer whom as the pure rule does."""

import random
from datetime import timedelta
from uuid import UUID

from interactions.threads import Shared, Threadable, is_likely
from storage import threads
from storage.database import Database
from tests.fakes.rows import START, ids, interaction, write

PEOPLE = [bytes([n]) * 8 for n in range(4)]


def facts(n: int, **more: object) -> Threadable:
    at = START + timedelta(minutes=n)
    fields: dict[str, object] = {"ref": None, "parents": (), "replies_to": 0, "subject_key": b"s" * 8, **more}
    return Threadable(ids(n)[0], at, **fields)  # type: ignore[arg-type]


FULL = facts(
    1, ref=b"r" * 16, parents=(b"a" * 16, b"b" * 16), replies_to=1, is_answer=False, prefix="auto",
    shared=(Shared("provider_thread", b"p" * 16), Shared("thread_index", b"i" * 16, b"k" * 8), Shared("in_reply_to", b"f" * 16)),
    tokens=(b"t" * 16,), sender=PEOPLE[0], people=frozenset(PEOPLE), outside=frozenset(PEOPLE[1:]), firms=frozenset([b"@" * 8]),
    firm=b"f" * 8, party=b"y" * 8, is_mass=True, is_robot=True, is_guarded=True, list_key=b"l" * 8, guess_key=b"g" * 8,
    guess_days=7, may_guess=True,
)  # fmt: skip


async def test_facts_are_read_back_as_they_were_written(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1), interaction(2), interaction(3))
        await threads.save_all(db, [FULL, facts(2)])
        await threads.save_all(db, [FULL])
        await threads.save_all(db, [])

        rows = await threads.find(db, [ids(n)[0] for n in (1, 2, 3)])

        assert [threads.facts_in(row) for row in rows] == [FULL, facts(2), None]
        assert [row["chain_id"] for row in rows] == [ids(n)[1] for n in (1, 2, 3)]
        [row] = await threads.of_chains(db, [ids(2)[1], ids(3)[1]])
        assert threads.facts_in(row) == facts(2)


async def test_a_conversation_is_added_to_the_facts_and_pins_are_told_when_they_are_replaced(
    database: Database,
) -> None:
    thread = Shared("provider_thread", b"p" * 16)
    async with database.connection() as db:
        await write(db, interaction(2))
        await threads.save_all(db, [facts(2)])

        await threads.share(db, [(ids(2)[0], thread)])
        await threads.share(db, [])
        before = [await threads.pin(db, [ids(2)[0]], ids(n)[1]) for n in (5, 6)]

        [row] = await threads.find(db, [ids(2)[0]])
        assert threads.facts_in(row) == facts(2, shared=(thread,))
        assert (before, row["pin"]) == ([[], [ids(5)[1]]], ids(6)[1])


async def test_of_an_erased_mail_nothing_is_kept_but_what_leads_to_its_chain(database: Database) -> None:
    async with database.connection() as db:
        await write(db, interaction(1))
        await threads.save_all(db, [FULL])

        await threads.forget_people(db, [ids(1)[0]])

        [row] = await threads.find(db, [ids(1)[0]])
    found = threads.facts_in(row)
    assert found is not None
    assert (found.ref, found.parents) == (FULL.ref, FULL.parents)
    assert found.people | found.outside | found.firms == frozenset()
    assert (found.party, found.may_guess) == (None, False)


async def test_sql_finds_who_answers_whom_as_the_rule_says(database: Database) -> None:
    chance = random.Random(7)
    mails = []
    for n in range(120):
        sender, *others = chance.sample(PEOPLE, chance.randint(1, 4))
        mails.append(
            facts(
                n * chance.choice([1, 400, 800]) + n, sender=chance.choice([sender, sender, sender, None]),
                people=frozenset([sender, *others]), list_key=chance.choice([None, None, b"l" * 8]),
                guess_key=chance.choice([b"g" * 8, b"h" * 8, None]), guess_days=chance.choice([7, 45]),
                may_guess=chance.random() < 0.7,
            )
        )  # fmt: skip
    mails = list({one.interaction_id: one for one in mails}.values())
    async with database.connection() as db:
        await write(db, *(interaction((one.occurred_at - START) // timedelta(minutes=1)) for one in mails))
        await threads.save_all(db, mails)

        nearest: dict[UUID, UUID] = {}
        for mail in mails:
            likely = [one for one in mails if is_likely(mail, one)]
            if likely:
                nearest[mail.interaction_id] = max(likely, key=lambda one: one.place).interaction_id
            answers = {one for one, _ in await threads.answers_to(db, [mail])}
            assert answers >= {one.interaction_id for one in mails if is_likely(one, mail)}
        assert await threads.likely(db, mails) == nearest
        assert await threads.likely(db, []) == {}
        assert await threads.answers_to(db, []) == []
