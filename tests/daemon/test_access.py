"""For whom a route reads: never without saying it; and what the configuration makes of mailboxes."""

import ast
from pathlib import Path

from config.load import loads
from daemon.access import doors_of
from interactions.access import Door
from tests.fakes.daemon import running_app, write_config
from tests.fakes.office import MAILBOX, NARROWED
from tests.fakes.sources import Module, ours

# What shows interactions, or numbers of them. Whoever reads with one of these on a person's behalf says for whom.
SHOWS = {
    "lists": {"page", "views", "find", "counts"},
    "lookup": {"recent", "open_chains", "timeline"},
    "parties": {"page", "find", "timeline"},
    "subjects": {"page", "find", "views"},
    "storage_bulk": {"select"},
    "": {"who_is", "find_subject"},
}
IN = ("daemon/api/", "daemon/web/", "daemon/lookup.py")


def calls(module: Module) -> list[ast.Call]:
    """Calls that show interactions."""
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = node.func
            owner = called.value.id if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) else ""
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name in SHOWS.get(owner, set()) and not (owner == "" and isinstance(called, ast.Attribute)):
                found.append(node)
    return found


def says_for_whom(call: ast.Call) -> bool:
    given = [*call.args, *(one.value for one in call.keywords)]
    names = {getattr(node, "id", "") for one in given for node in ast.walk(one)}
    return bool({"seen_by", "access_of"} & names)


def test_no_route_reads_interactions_without_saying_for_whom() -> None:
    found = [(module.path, call) for module in ours() if module.path.startswith(IN) for call in calls(module)]

    assert [f"{path}:{call.lineno}" for path, call in found if not says_for_whom(call)] == []
    assert len(found) > 25


async def test_a_private_mailbox_that_leaves_the_configuration_stays_shut_also_after_a_restart(
    dsn: str, tmp_path: Path
) -> None:
    config = write_config(tmp_path, dsn=dsn)
    open_one, narrow = config.read_text(), MAILBOX.format(name="ceo") + 'privacy = "private"\n'
    config.write_text(open_one + narrow)
    async with running_app(config) as app:
        assert app.serving.departed == []
        await app.reload(loads(open_one, tmp_path, {}).settings)
        assert app.serving.departed == [Door("ceo", True)]

    config.write_text(open_one)
    async with running_app(config) as app:
        assert app.serving.departed == [Door("ceo", True)]


def test_a_mailbox_is_narrow_by_members_or_as_private_and_its_responsible_is_a_member() -> None:
    settings = loads(NARROWED, Path("."), {}).settings

    assert doors_of(settings) == [
        Door("ceo", True, ("Anna@Example.org", "dept:Board", "vera@example.org")),
        Door("claims", False, ("anna@example.org",)),
    ]
