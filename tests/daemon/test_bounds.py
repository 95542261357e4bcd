"""Bounds: bodies that are too large, too slow or broken off, whatever they claim and whatever the application does."""

import asyncio

import pytest

from daemon.bounds import BODY_BYTES_MAX, WEBHOOK_BYTES_MAX, Asgi, Bounds, OutOfBounds, Receive, Scope, Send
from tests.fakes.asgi import Answer, ask_in_pieces, scope_of

MEGABYTE = b"x" * 1024 * 1024


async def counts(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that says how many bytes it got."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await answer(send, str(size).encode())


async def believes_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that makes something of any error."""
    try:
        await counts(scope, receive, send)
    except Exception:
        await answer(send, b"all is well")


async def speaks_first(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that begins its answer before it reads."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    try:
        while (await receive()).get("more_body"):
            pass
    except OutOfBounds:
        await send({"type": "http.response.body", "body": b"broken off"})


async def answer(send: Send, content: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": content})


async def post(app: Asgi, *pieces: bytes | None, path: str = "/api/v1/interactions", length: str | None = None) -> Answer:  # fmt: skip
    headers = [("content-length", length)] if length is not None else []
    return await ask_in_pieces(Bounds(app, 0.05), scope_of("POST", path, headers), pieces)


@pytest.mark.parametrize(("path", "most"), [("/hooks/main", WEBHOOK_BYTES_MAX), ("/api/v1/x", BODY_BYTES_MAX)])
async def test_a_body_of_just_the_bound_passes_and_one_byte_more_does_not(path: str, most: int) -> None:
    pieces = [MEGABYTE] * (most // len(MEGABYTE))

    fits = await post(counts, *pieces, path=path, length=str(most))
    over = await post(counts, *pieces, b"x", path=path)

    assert (fits.status, fits.body) == (200, str(most).encode())
    assert (over.status, over.json["code"]) == (413, "too_large")


@pytest.mark.parametrize("length", [str(WEBHOOK_BYTES_MAX + 1), "9" * 18])
async def test_a_length_that_is_over_the_bound_is_refused_before_anything_is_read(length: str) -> None:
    refused = await post(counts, None, path="/hooks/main", length=length)

    assert refused.status == 413
    assert str(WEBHOOK_BYTES_MAX) in refused.json["detail"]
    assert refused.headers["connection"] == "close"
    assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("length", ["0", "-1", "+5", "1e9", "x", "", "9" * 400])
async def test_a_length_that_lies_is_found_out_by_counting(length: str) -> None:
    refused = await post(counts, *[MEGABYTE] * 2, b"x", path="/hooks/main", length=length)

    assert (refused.status, refused.json["type"]) == (413, "urn:ringmail:problem:too_large")


@pytest.mark.parametrize("app", [counts, believes_nothing])
async def test_a_body_that_does_not_come_is_not_waited_for(app: Asgi) -> None:
    for pieces in ([None], [b"{", None]):
        refused = await post(app, *pieces)

        assert (refused.status, refused.json["status"], refused.json["code"]) == (408, 408, "unavailable")
        assert "0.05 seconds" in refused.json["detail"]


async def test_the_bound_is_the_answer_whatever_the_application_makes_of_it() -> None:
    refused = await post(believes_nothing, *[MEGABYTE] * 3, path="/hooks/main")

    assert (refused.status, refused.json["code"]) == (413, "too_large")


async def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    begun = await post(speaks_first, *[MEGABYTE] * 3, path="/hooks/main")

    assert (begun.status, begun.body) == (200, b"broken off")


async def test_the_time_is_that_of_the_body_not_that_of_the_answer() -> None:
    async def thinks(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        gone = asyncio.ensure_future(receive())  # waits for the client to go away, as streaming answers do
        done, _ = await asyncio.wait([gone], timeout=0.1)
        gone.cancel()
        await answer(send, b"in time" if not done else b"broken off")

    async def stays(scope: Scope, receive: Receive, send: Send) -> None:
        pieces = iter([b"x"])

        async def once() -> dict[str, object]:
            for piece in pieces:
                return {"type": "http.request", "body": piece, "more_body": False}
            await asyncio.Event().wait()
            return {}

        await Bounds(thinks, 0.05)(scope, once, send)

    found = await ask_in_pieces(stays, scope_of("POST", "/x"), [])

    assert found.body == b"in time"


@pytest.mark.parametrize("target", ["/api/v1/interactions?q=%00", "/api/v1/interactions/by-ref/a%00b", "/%00"])
async def test_an_address_with_a_nul_reaches_nobody(target: str) -> None:
    refused = await post(counts, b"", path=target)

    assert (refused.status, refused.json["code"]) == (422, "invalid")


async def test_what_a_provider_sends_is_not_refused_for_a_nul() -> None:
    assert (await post(counts, b"", path="/hooks/main?q=%00")).status == 200


async def test_errors_of_the_application_go_their_own_way() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await post(fails, b"")
