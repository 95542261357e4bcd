"""Whether a sender is who the mail says: Authentication-Results (RFC 8601), of the hosts that we were told to believe.

Anybody can write such a header into a mail. A host that checks puts its own above those that came with the mail, so the
first that bears the name of a believed host counts and no other; without a believed host there is no proof.

    pass    DMARC passed; or DKIM or SPF passed for a domain that is the sender's, or above or below it
    fail    DMARC failed; or something was checked and failed, and nothing passed for the sender's domain
    none    no believed host says anything

Limits: what signatures say is not verified here: keys are changed, and a mail read later would fail for that alone.
"""

import re
from collections.abc import Collection, Sequence

RESULTS_MAX = 20
CHARS_MAX = 4000

_COMMENT = re.compile(r"\([^()]{0,1000}\)")
_METHOD = re.compile(r"\s*(dmarc|dkim|spf)\s*=\s*(\w{1,20})(.*)", re.DOTALL)
_DOMAIN = re.compile(r"(?:header\.(?:from|d|i)|smtp\.(?:mailfrom|mail))\s*=\s*\"?(?:[^\s\"@;]{0,200}@)?([\w.-]{1,255})")
_FAILURES = frozenset({"fail", "softfail", "permerror", "hardfail", "reject"})


def authenticated(results: Sequence[str], believed: Collection[str], sender_domain: str) -> str:
    """`pass`, `fail` or `none` for the domain of a sender. `results` are the headers from the top of the mail down."""
    hosts = {host.casefold() for host in believed}
    for result in results[:RESULTS_MAX]:
        host, _, rest = _COMMENT.sub(" ", result[:CHARS_MAX]).casefold().partition(";")
        if host.split() and host.split()[0] in hosts:
            return _verdict(rest, sender_domain.casefold().rstrip("."))
    return "none"


def _verdict(text: str, domain: str) -> str:
    checked: list[tuple[str, str, bool]] = []
    for part in text.split(";")[:RESULTS_MAX]:
        found = _METHOD.match(part)
        if found:
            named = [one.rstrip(".") for one in _DOMAIN.findall(found.group(3))]
            checked.append((found.group(1), found.group(2), any(_is_kin(one, domain) for one in named)))
    for method, result, is_aligned in checked:
        if method == "dmarc" and (is_aligned or result != "pass"):
            if result == "pass":
                return "pass"
            if result in _FAILURES:
                return "fail"
    if any(result == "pass" and is_aligned for _, result, is_aligned in checked):
        return "pass"
    return "fail" if any(result in _FAILURES for _, result, _ in checked) else "none"


def _is_kin(one: str, other: str) -> bool:
    """Whether a domain is the other, or above or below it; a bare top-level domain is nobody's."""
    if not one or not other or "." not in one or "." not in other:
        return False
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")
