"""Proof of a sender: believed hosts only, and only for the sender's own domain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interactions.proofs import authenticated

OURS = frozenset({"mx.example.org"})


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("mx.example.org; dmarc=pass header.from=firm.example", "pass"),
        ("MX.example.org 1; DMARC=pass (p=reject) header.from=Firm.Example", "pass"),
        ("mx.example.org; spf=pass smtp.mailfrom=ivan@firm.example", "pass"),
        ("mx.example.org; dkim=pass header.i=@mail.firm.example", "pass"),
        ("mx.example.org; dkim=pass header.d=other.example; spf=pass smtp.mailfrom=x@firm.example", "pass"),
        ("mx.example.org; dkim=fail header.d=firm.example; spf=pass smtp.mailfrom=firm.example", "pass"),
        ("mx.example.org; dkim=fail (bad; signature) header.d=firm.example", "fail"),
        ("mx.example.org; dmarc=fail header.from=firm.example; spf=pass smtp.mailfrom=firm.example", "fail"),
        ("mx.example.org; spf=softfail smtp.mailfrom=x@firm.example", "fail"),
        # A proof of somebody else's domain.
        ("mx.example.org; dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=evil.example", "none"),
        ("mx.example.org; dmarc=pass header.from=evil.example", "none"),
        ("mx.example.org; dkim=pass header.d=evilfirm.example", "none"),
        ("mx.example.org; dkim=pass header.d=example", "none"),
        ("mx.example.org; dkim=pass header.i=firm.example@evil.example", "none"),
        ("mx.example.org; dkim=pass", "none"),
        ("mx.example.org; none", "none"),
        ("mx.example.org", "none"),
        ("other.example; dmarc=pass header.from=firm.example", "none"),
        ("other.example (mx.example.org); dmarc=pass header.from=firm.example", "none"),
        ("", "none"),
    ],
)
def test_a_sender_is_proved_by_a_believed_host_for_its_own_domain(result: str, expected: str) -> None:
    assert authenticated([result], OURS, "firm.example") == expected


def test_the_topmost_result_of_a_believed_host_counts() -> None:
    forged = "mx.example.org; dmarc=pass header.from=firm.example"

    assert authenticated(["other.example; none", "mx.example.org; spf=fail", forged], OURS, "firm.example") == "fail"


def test_without_believed_hosts_nothing_is_proved() -> None:
    assert authenticated(["mx.example.org; dmarc=pass header.from=firm.example"], (), "firm.example") == "none"


@given(st.lists(st.text(max_size=200), max_size=4), st.text(max_size=30))
def test_no_header_raises(results: list[str], domain: str) -> None:
    assert authenticated([f"mx.example.org;{one}" for one in results], OURS, domain) in ("pass", "fail", "none")
