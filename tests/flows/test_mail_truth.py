"""What we say of a mailbox is true: a person works in it on a real server, the line is bad, the daemon is killed, and when
it says that all is read, its places of mails are those of the server, no mail is missed or there twice, no flag was
changed. Each server on its own, so that they can run side by side; `make proof PART=mail` is the long form.
"""

import pytest

from tests.fakes.mail_truth import truth

ROUNDS = 8
SEED = 20261125


async def hold_true(server: str) -> None:
    async with truth([server], SEED) as rounds:
        for number in range(ROUNDS):
            await rounds.round(number)
        print(rounds.story)
        assert await rounds.daemon.stop() == 0


@pytest.mark.peer("dovecot")
class TestDovecot:
    @pytest.mark.timeout(300)
    async def test_what_is_said_of_a_mailbox_is_true(self) -> None:
        await hold_true("dovecot")


@pytest.mark.peer("cyrus")
class TestCyrus:
    @pytest.mark.timeout(300)
    async def test_what_is_said_of_a_mailbox_is_true(self) -> None:
        await hold_true("cyrus")


@pytest.mark.peer("courier")
class TestCourier:
    @pytest.mark.timeout(300)
    async def test_what_is_said_of_a_mailbox_is_true(self) -> None:
        await hold_true("courier")
