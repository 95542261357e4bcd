"""Why a mail is in its chain, as programs see it: rule, evidence and flags."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from tests.fakes.api import Api, make_api
from tests.fakes.arrivals import START, raw_mail

TOPIC = "Кухня на дачу"


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> Api:
    return await make_api(database, tmp_path)


async def chains_of(api: Api, *raws: bytes) -> list[dict[str, Any]]:
    """What is said of the chain of each mail, in order of time."""
    ids = await api.mails(*raws)
    return [(await api.get(f"/interactions/{one}")).json["chain"] for one in ids]


async def test_an_answer_says_which_id_has_led_it_to_its_chain(api: Api) -> None:
    first, second = await chains_of(
        api,
        raw_mail("1", subject=TOPIC),
        raw_mail(
            "2", "sales@example.org", "ivan@customer.example", "Re: x", reply_to="1", at=START + timedelta(hours=1)
        ),
    )

    assert first["link"] == {"rule": "root", "origin": "automatic", "flags": []}
    assert second["link"] == {"rule": "in_reply_to", "origin": "automatic", "flags": [], "evidence": "1@test.example"}


async def test_a_guess_names_the_mail_that_it_seems_to_answer(api: Api) -> None:
    first, second = await chains_of(
        api,
        raw_mail("1", subject=TOPIC),
        raw_mail("2", "sales@example.org", "ivan@customer.example", f"Re: {TOPIC}", at=START + timedelta(hours=1)),
    )

    assert second["id"] == first["id"]
    assert second["link"]["rule"] == "subject_guess"
    assert second["link"]["flags"] == ["provisional"]
    assert second["link"]["evidence"] == first["root_id"]
