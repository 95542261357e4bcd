"""What a provider wants with the request for a recording, and nobody else."""

import pytest

from config.load import loads
from config.telephony_settings import Telephony
from connectors.recordings import is_link, wanted


@pytest.fixture
def twilio(tmp_path: object) -> Telephony:
    text = "[[telephony]]\nname='t'\ntype='twilio'\naccount_sid='AC1'\nauth_token='secret-token'\n"
    return loads(text, tmp_path, {"HOME": "/home/anna"}).settings.telephony[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("link", "url", "with_login"),
    [
        ("https://api.twilio.com/2010/Recordings/RE1", "https://api.twilio.com/2010/Recordings/RE1.mp3", True),
        ("https://api.twilio.com/2010/Recordings/RE1.wav", "https://api.twilio.com/2010/Recordings/RE1.wav", True),
        ("http://api.twilio.com/2010/Recordings/RE1", "http://api.twilio.com/2010/Recordings/RE1", False),
        ("https://api.twilio.com.evil.example/RE1", "https://api.twilio.com.evil.example/RE1", False),
    ],
)
def test_the_login_goes_to_twilio_only(twilio: Telephony, link: str, url: str, with_login: bool) -> None:
    found = wanted(twilio, link)

    assert (found.url, found.login) == (url, ("AC1", "secret-token") if with_login else None)
    assert "secret-token" not in repr(found)


def test_a_name_is_no_link() -> None:
    assert [is_link(one) for one in ("https://x.example/1", "http://x.example/1", "RE123", "file:///etc/passwd")] == [
        True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("http://[x", id="that cannot be read"),
        pytest.param("https:///1.mp3", id="without a host"),
        pytest.param("https://x.example/" + "a" * 3000, id="too long for an index"),
    ],
)
def test_a_link_that_cannot_be_kept_or_followed_is_none(link: str) -> None:
    assert not is_link(link)
