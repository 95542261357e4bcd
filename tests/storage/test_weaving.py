"""What a batch of mails rests on: ids, topics and conversations, and the chains they lead to, locked."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from interactions.chains import GUESS, Placement, place
from interactions.records import Link
from interactions.threads import Shared, Threadable
from interactions.weaving import Known
from storage import chains, threads, weaving
from storage.database import Connection, Database
from tests.fakes.postgres import until_waiting
from tests.fakes.rows import START, ids, interaction, write

US, IVAN = b"us......", b"ivan...."


def ref(name: str) -> bytes:
    return name.encode().ljust(16, b".")


def mail(n: int, own: str | None, *parents: str, topic: bytes = b"topic...", **more: object) -> Threadable:
    """Interaction `n` as threading sees it."""
    at = START + timedelta(minutes=n)
    refs = tuple(map(ref, parents))
    found = Threadable(ids(n)[0], at, ref(own) if own else None, refs, min(1, len(refs)), topic, prefix="reply")
    return replace(found, **more)  # type: ignore[arg-type]


def web(n: int, own: str, *parents: str, **more: object) -> Threadable:
    """An answer that may be guessed, from Ivan to us."""
    fields: dict[str, object] = {
        "sender": IVAN, "people": frozenset({IVAN, US}), "guess_key": b"guess...", "guess_days": 45, "may_guess": True,
        **more,
    }  # fmt: skip
    return replace(mail(n, own, *parents), **fields)  # type: ignore[arg-type]


async def add(db: Connection, *mails: Threadable, echoes: Iterable[tuple[UUID, Shared]] = ()) -> Placement:
    """Places mails as the intake does."""
    unclear: frozenset[UUID] = frozenset()
    while True:
        known = await weaving.claim(db, mails, tuple(echoes), unclear)
        placement = place(mails, known, mails[0].interaction_id.bytes if mails else b"")
        if placement.unclear <= unclear:
            break
        unclear |= placement.unclear
    members = []
    for one in mails:
        n = (one.occurred_at - START) // timedelta(minutes=1)
        link = placement.link_of[one.interaction_id]
        members.append(interaction(n, chain_id=placement.chain_of[one.interaction_id], link=link))
    await chains.move(db, placement.moved)
    await write(db, *members)
    await chains.merge(db, placement.merged)
    await chains.save_refs(db, placement)
    await threads.save_all(db, mails)
    await chains.relink(db, {one: link for one, link in placement.link_of.items() if one not in placement.chain_of})
    await chains.describe(db, placement)
    return placement


async def together(db: Connection) -> list[set[int]]:
    """The numbers of the mails in each chain."""
    found: dict[UUID, set[int]] = {}
    for row in await db.fetch("SELECT chain_id, occurred_at FROM interaction ORDER BY occurred_at"):
        found.setdefault(row["chain_id"], set()).add((row["occurred_at"] - START) // timedelta(minutes=1))
    return list(found.values())


async def test_ids_lead_to_the_mails_that_have_them_and_to_their_chains(database: Database) -> None:
    async def work(db: Connection) -> Known:
        await add(db, mail(1, "a"), mail(2, "b"))
        return await weaving.claim(db, [mail(3, "c", "b", "a", "nobody's")])

    known = await database.in_transaction(work)

    assert known.owners == {ref("a"): ids(1)[0], ref("b"): ids(2)[0]}
    assert known.awaited == {}
    assert known.mails == {ids(1)[0]: mail(1, "a"), ids(2)[0]: mail(2, "b")}
    assert {chain.first_at for chain in known.chains.values()} == {START + timedelta(minutes=n) for n in (1, 2)}


async def test_who_waits_for_an_id_is_found_by_it_and_by_the_same_topic_only(database: Database) -> None:
    async def work(db: Connection) -> list[dict[tuple[bytes, bytes], UUID]]:
        await add(db, mail(1, "a", "lost"))
        asked = [mail(2, "lost"), mail(2, "x", "lost"), mail(2, "x", "lost", topic=b"other..."), mail(2, "x")]
        return [dict((await weaving.claim(db, [one])).awaited) for one in asked]

    came, same_topic, other_topic, nothing = await database.in_transaction(work)

    found = {(ref("lost"), b"topic..."): ids(1)[0]}
    assert (came, same_topic) == (found, found)
    assert (other_topic, nothing) == ({}, {})


async def test_of_those_that_wait_the_one_that_is_related_soonest_stands_for_all(database: Database) -> None:
    waits = [
        mail(5, "a", "lost", prefix=""),
        mail(3, "b", "lost", prefix=""),
        mail(9, "c", "lost"),
        mail(1, "d", "lost"),
    ]
    found = []
    async with database.connection() as db:
        for one in waits:
            await add(db, one)
            found.append(await db.fetchval("SELECT interaction_id FROM message_awaited"))

    assert found == [ids(n)[0] for n in (5, 3, 9, 9)]


async def test_an_id_that_two_mails_have_goes_to_the_older_and_the_answers_with_it(database: Database) -> None:
    async with database.connection() as db:
        await add(db, mail(5, "a"))
        await add(db, mail(7, "b", "a"))
        await add(db, mail(2, "a"))
        await add(db, mail(6, "a"))

        assert await together(db) == [{2, 7}, {5}, {6}]


async def test_a_guess_is_found_held_and_taken_back(database: Database) -> None:
    async with database.connection() as db:
        await add(db, web(2, "old", may_guess=False))
        await add(db, web(5, "web", "lost"))
        assert await together(db) == [{2, 5}]
        assert await db.fetchval("SELECT is_loose FROM chain WHERE merged_into IS NULL")
        rows = await db.fetch("SELECT link_rule, link_evidence FROM interaction ORDER BY occurred_at")
        assert [tuple(row) for row in rows] == [("root", ""), (GUESS, str(ids(2)[0]))]

        placement = await add(db, mail(4, "lost"))

        assert placement.link_of[ids(5)[0]] == Link("in_reply_to", ref("lost").hex())
        assert await together(db) == [{2}, {4, 5}]
        assert not await db.fetchval("SELECT bool_or(is_loose) FROM chain WHERE merged_into IS NULL")


async def test_an_answer_that_came_first_is_guessed_when_the_older_mail_comes(database: Database) -> None:
    async with database.connection() as db:
        await add(db, web(5, "web"))
        await add(db, mail(7, "more", "web"))
        await add(db, web(1, "old", may_guess=False))
        assert await together(db) == [{1, 5, 7}]

        await add(db, web(3, "nearer", may_guess=False))

        assert await together(db) == [{1}, {3, 5, 7}]


async def test_answers_of_several_parties_that_came_first_part_when_the_mail_to_many_comes(database: Database) -> None:
    async with database.connection() as db:
        for n, party in [(3, b"ivan...."), (4, b"olga...."), (5, b"ivan....")]:
            await add(db, mail(n, f"m{n}", "many", party=party))
        assert await together(db) == [{3, 4, 5}]

        await add(db, mail(1, "many", is_mass=True))
        await add(db, mail(6, "m6", "many", party=b"olga...."))

        assert await together(db) == [{1}, {3, 5}, {4, 6}]


async def test_another_copy_joins_the_conversation_of_its_server(database: Database) -> None:
    thread = Shared("provider_thread", b"t" * 16)
    async with database.connection() as db:
        await add(db, mail(1, "a"))
        await add(db, mail(2, "b", shared=(thread,)))
        await add(db, echoes=[(ids(1)[0], thread)])

        assert await together(db) == [{1, 2}]
        await threads.share(db, [(ids(1)[0], thread)])
        assert (await weaving.claim(db, [], [(ids(1)[0], thread)])).echoes == ()


async def test_what_a_person_took_apart_is_loaded_with_what_it_was_taken_from(database: Database) -> None:
    async with database.connection() as db:
        await add(db, mail(1, "a"), mail(2, "b", "a"), mail(3, "c", "b"))
        held, new = await db.fetchval("SELECT chain_id FROM interaction LIMIT 1"), ids(30)[1]
        await chains.move(db, {ids(3)[0]: new})
        await threads.pin(db, [ids(1)[0], ids(2)[0]], held)
        await threads.pin(db, [ids(3)[0]], new)
        await db.execute("INSERT INTO chain_apart VALUES ($1, $2), ($2, $1)", held, new)
        await db.execute("UPDATE chain SET is_loose = true")

        await add(db, mail(5, "both", "c", "a"))

        assert await together(db) == [{1, 2}, {3, 5}]


async def test_batches_that_share_ids_in_any_order_go_one_after_the_other(database: Database) -> None:
    inside = 0

    async def work(db: Connection, names: list[str]) -> None:
        nonlocal inside
        await weaving.claim(db, [mail(n, name) for n, name in enumerate(names)])
        inside += 1
        assert inside == 1
        await asyncio.sleep(0.01)
        inside -= 1

    names = [str(n) for n in range(50)]
    await asyncio.gather(
        database.in_transaction(lambda db: work(db, names), tries=1),
        database.in_transaction(lambda db: work(db, names[::-1]), tries=1),
        database.in_transaction(lambda db: work(db, names[25:]), tries=1),
    )


async def test_a_chain_merged_while_a_batch_waited_for_it_is_looked_up_again(database: Database) -> None:
    async with database.connection() as db:
        await add(db, mail(1, "a"), mail(2, "b"))
        first, second = [row["id"] for row in await db.fetch("SELECT id FROM chain ORDER BY first_at")]

    async def reply(db: Connection) -> Known:
        return await weaving.claim(db, [mail(3, "c", "b")])

    async with database.connection() as db:
        merging = db.transaction()
        await merging.start()
        await db.execute("SELECT 1 FROM chain FOR UPDATE")
        other = asyncio.create_task(database.in_transaction(reply))
        await until_waiting(database)
        await chains.merge(db, {second: first})
        await merging.commit()

        known = await other

    assert known.owners == {ref("b"): ids(2)[0]}
    assert known.chain_of == {ids(2)[0]: first}
    assert first in known.chains
