"""Standard Webhooks: the published vectors, the reference library, and everything that must not pass."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from connectors.base import Forged
from connectors.telephony.signatures import TOLERANCE_SECONDS, key_of, keys_of, sign_standard, verify_standard

# standard-webhooks/standard-webhooks, libraries/python/tests/test_webhooks.py
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
GOOD = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
BAD = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="


def headers(signature: str = GOOD, message_id: str = MESSAGE, stamp: str = "1614265330") -> dict[str, str]:
    return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": signature}


@pytest.mark.parametrize(
    ("secret", "signature"),
    [
        (SECRET, GOOD),
        (SECRET.removeprefix("whsec_"), GOOD),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "v1,LVOXivKoo4FWasi/IaHvzhE/u+7/cu2AME+zS/nXqzk="),
    ],
)
def test_the_published_vectors_hold(secret: str, signature: str) -> None:
    assert sign_standard(secret, MESSAGE, AT, BODY) == headers(signature)
    assert verify_standard(secret, headers(signature), BODY, AT) == MESSAGE


@pytest.mark.parametrize(
    "signature",
    [f"{BAD} {BAD.replace('v1', 'v2')} {GOOD} {BAD}", f"v1a,xx {GOOD}", f" {GOOD}", f"v1 , ,v1 nonsense {GOOD}"],
)
def test_one_good_signature_among_others_is_enough(signature: str) -> None:
    verify_standard([SECRET], headers(signature), BODY, AT)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "webhook-id is missing"),
        (headers(signature=""), "webhook-signature is missing"),
        (headers(stamp=""), "webhook-timestamp is missing"),
        (headers(message_id=""), "webhook-id is missing"),
        (headers(message_id="a.b"), "dot"),
        (headers(message_id="a" * 257), "longer"),
        (headers(stamp="now"), "number"),
        (headers(stamp="1614265330.0"), "number"),
        (headers(stamp="-1614265330"), "number"),
        (headers(stamp=" 1614265330"), "number"),
        (headers(stamp="١٦١٤٢٦٥٣٣٠"), "number"),
        (headers(stamp="9" * 13), "number"),
        (headers(stamp=str(1614265330 - TOLERANCE_SECONDS - 1)), "clock"),
        (headers(stamp=str(1614265330 + TOLERANCE_SECONDS + 1)), "clock"),
        (headers(stamp="1614265331"), "does not fit"),
        (headers(message_id="msg_other"), "does not fit"),
        (headers(GOOD.replace("OE=", "OA=")), "does not fit"),
        (headers(GOOD.replace("OE=", "OF=")), "does not fit"),  # the same bytes, spelled otherwise
        (headers(GOOD.removesuffix("=")), "does not fit"),
        (headers(GOOD.replace("v1", "v2")), "does not fit"),
        (headers("v1"), "does not fit"),
        (headers("v1,"), "does not fit"),
        (headers("v1,é\ud800"), "does not fit"),
        (headers(" ".join([BAD] * 20 + [GOOD])), "does not fit"),
    ],
)
def test_what_does_not_prove_itself_is_forged(given: dict[str, str], reason: str) -> None:
    with pytest.raises(Forged, match=reason):
        verify_standard([SECRET], given, BODY, AT)


def test_time_may_be_off_by_the_tolerance_both_ways() -> None:
    for seconds in (-TOLERANCE_SECONDS, TOLERANCE_SECONDS):
        verify_standard([SECRET], headers(), BODY, AT + timedelta(seconds=seconds))
    with pytest.raises(Forged, match="clock"):
        verify_standard([SECRET], headers(), BODY, AT + timedelta(seconds=11), tolerance_seconds=10)


def test_an_old_secret_holds_beside_a_new_one() -> None:
    verify_standard(["whsec_bmV3bmV3bmV3bmV3bmV3bmV3", SECRET], headers(), BODY, AT)


def test_without_a_secret_nothing_proves_itself() -> None:
    with pytest.raises(Forged, match="no secret"):
        verify_standard([], headers(), BODY, AT)


@pytest.mark.parametrize("secret", ["", "  ", "whsec_", " whsec_", "whsec_not base64!", "whsec_Ж", "whsec_===="])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="webhook secret"):
        keys_of(secret)


@pytest.mark.parametrize(
    ("secret", "keys"),
    [
        ("whsec_c2VjcmV0", (b"secret",)),
        ("c2VjcmV0", (b"secret", b"c2VjcmV0")),
        ("correct horse battery staple", (b"correct horse battery staple",)),
        ("пароль", ("пароль".encode(),)),
    ],
)
def test_a_secret_without_prefix_may_be_base64_or_a_password(secret: str, keys: tuple[bytes, ...]) -> None:
    assert keys_of(secret) == keys
    assert key_of(secret) == keys[0]


def test_a_password_proves_as_its_letters_as_openssl_takes_them() -> None:
    # printf 'id1.1614265330.{}' | openssl dgst -sha256 -hmac hushhush -binary | base64
    given = headers("v1,zOBwLFZKBTkvRgzdU84P9lHuZxREqNZx6c3lbtii6xc=", "id1")

    verify_standard("hushhush", given, b"{}", AT)


def test_the_reference_library_accepts_what_we_sign_and_we_what_it_signs() -> None:
    now = datetime.now(UTC)
    signed = sign_standard(SECRET, "msg_1", now, BODY)
    assert Webhook(SECRET).verify(BODY, signed) == json.loads(BODY)

    theirs = {**signed, "webhook-signature": Webhook(SECRET).sign("msg_1", now, BODY.decode())}
    assert verify_standard(SECRET, theirs, BODY, now) == "msg_1"


@given(st.dictionaries(st.sampled_from(list(headers())), st.text(max_size=60)), st.binary(max_size=60))
def test_any_headers_are_forged_with_a_reason(given: dict[str, str], body: bytes) -> None:
    with pytest.raises(Forged):
        verify_standard([SECRET, "plain"], given, body, AT)
