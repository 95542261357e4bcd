"""Ids of ours: made, found anywhere, believed for a time, and not to be made by anybody else."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions.addresses import email_key
from interactions.reply_tokens import (
    TOKENS_MAX,
    VALID_DAYS,
    is_own_shape,
    message_id,
    new_token,
    plus_address,
    proved,
    signing_key,
    token_of,
    tokens_in,
)

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
KEY = signing_key("a secret")
TOKEN = new_token(KEY, AT, b"12345678")


def test_a_token_is_ours_and_fits_an_address() -> None:
    address = plus_address(TOKEN, "sales@example.org")

    assert proved(TOKEN, KEY)
    assert proved(TOKEN, KEY, AT)
    assert (len(TOKEN), TOKEN.isascii(), TOKEN.lower()) == (45, True, TOKEN)
    assert email_key(address) is not None
    assert tokens_in([address, f"<{message_id(TOKEN, 'example.org')}>"], KEY, AT) == (TOKEN,)


def test_an_address_that_would_be_too_long_stays_as_it_is() -> None:
    long = "the-department-of-very-long-names@example.org"

    assert plus_address(TOKEN, long) == long


def test_the_same_randomness_gives_the_same_token_and_other_another() -> None:
    assert new_token(KEY, AT, b"12345678...") == TOKEN
    assert new_token(KEY, AT, b"12345679") != TOKEN
    assert new_token(signing_key("another secret"), AT, b"12345678") != TOKEN


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        TOKEN.upper(),
        f"Reply-To: <sales+{TOKEN}@example.org>",
        f"> On Monday, Anna wrote to sales+{TOKEN}@example.org:",
        f"<{TOKEN}@relay.example>",
    ],
)
def test_a_token_is_found_wherever_it_stands(text: str) -> None:
    assert tokens_in(["", "nothing rm-", text], KEY, AT) == (TOKEN,)


@pytest.mark.parametrize(
    "text",
    [
        TOKEN[:-1],
        TOKEN + "a",
        "a" + TOKEN,
        TOKEN[:10] + ("a" if TOKEN[10] != "a" else "b") + TOKEN[11:],
        "rm-" + "a" * 42,
        "rm-" + "1" * 42,
        "[#123]",
    ],
)
def test_what_is_not_quite_a_token_is_none(text: str) -> None:
    assert tokens_in([text], KEY, AT) == ()
    assert tokens_in([TOKEN], b"", AT) == ()


def test_a_token_is_believed_for_a_time_and_then_an_id_like_any_other() -> None:
    last = AT + timedelta(days=VALID_DAYS)

    assert proved(TOKEN, KEY, last)
    assert not proved(TOKEN, KEY, last + timedelta(days=1))
    assert proved(TOKEN, KEY)


def test_an_id_shows_by_its_shape_that_it_would_be_ours() -> None:
    assert is_own_shape(message_id(TOKEN, "example.org"))
    assert token_of(message_id(TOKEN.upper(), "example.org")) == TOKEN
    assert not is_own_shape(f"x{TOKEN}@example.org")
    assert not is_own_shape("rm-1@example.org")


def test_there_is_no_token_without_a_key() -> None:
    assert signing_key("") == b""
    with pytest.raises(ValueError, match="takes a key"):
        new_token(b"", AT, b"12345678")


def test_only_so_many_tokens_are_read() -> None:
    some = [new_token(KEY, AT, bytes([n]) * 8) for n in range(TOKENS_MAX + 5)]

    assert len(tokens_in([" ".join(some)], KEY, AT)) == TOKENS_MAX


@given(st.text(alphabet="rm-abcdefghijklmnopqrstuvwxyz234567@+ \x00é", max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_text_raises_or_is_a_token_by_chance(text: str) -> None:
    assert tokens_in([text], KEY, AT) == ()
    assert not proved(text, KEY, AT)
