"""Problems as programs read them (RFC 9457)."""

import json

import pytest

from daemon.api.problems import MEDIA_TYPE, STATUS_OF, Problem, problem_response

# The contract's codes; programs branch on them.
CODES = (
    "unauthenticated forbidden not_found gone invalid feature_off stale conflict ambiguous_contact too_large "
    "rate_limited unavailable"
).split()


def test_the_codes_are_those_of_the_contract() -> None:
    assert sorted(STATUS_OF) == sorted(CODES)


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_its_shape(code: str) -> None:
    answer = problem_response(Problem(code, "It can't be so.", errors=[("participants.0", "is odd")], more={"x": 1}))

    body = json.loads(bytes(answer.body))
    assert (answer.status_code, answer.headers["content-type"]) == (STATUS_OF[code], MEDIA_TYPE)
    assert body == {
        "type": f"urn:ringmail:problem:{code}", "title": body["title"], "status": STATUS_OF[code],
        "detail": "It can't be so.", "code": code, "errors": [{"path": "participants.0", "message": "is odd"}], "x": 1,
    }  # fmt: skip
    assert body["title"]


def test_who_is_unknown_is_told_how_to_come_and_who_is_early_when_to_come_again() -> None:
    assert problem_response(Problem("unauthenticated", "?")).headers["www-authenticate"] == 'Bearer realm="ringmail"'
    assert problem_response(Problem("unavailable", "?")).headers["retry-after"] == "5"
    assert problem_response(Problem("unavailable", "?", headers={"Retry-After": "60"})).headers["retry-after"] == "60"
    assert "retry-after" not in problem_response(Problem("invalid", "?")).headers


def test_another_status_than_the_usual_one_can_be_given() -> None:
    answer = problem_response(Problem("invalid", "?", status=400))

    assert (answer.status_code, json.loads(bytes(answer.body))["status"]) == (400, 400)


def test_any_text_can_be_told() -> None:
    answer = problem_response(Problem("invalid", "Имя\x00\n\u202e", errors=[("\ud800", "\udfff")]))

    body = json.loads(bytes(answer.body))
    assert body["detail"] == "Имя\x00\n\u202e"
    assert body["errors"] == [{"path": "?", "message": "?"}]
    assert "Имя".encode() in bytes(answer.body)
