"""A client that posts signed webhooks as fast as they are taken: `python -m benchmarks.load HOST PORT COUNT CLIENTS`.

A process of its own, so that it does not sit in the loop that it measures. All requests are written before the clock
starts. Each client has one connection and one request under way. Prints seconds, statuses and times of answers as JSON.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

from benchmarks.measured import on_fast_loop, percentile
from connectors.telephony.signatures import sign_standard
from tests.fakes.daemon import LINE, SECRET

KINDS = ("newCall", "answer", "hangup")


def request(number: int, run: str) -> bytes:
    """One event of a call, signed; three to a call."""
    event = {
        "event": KINDS[number % 3], "callId": f"{run}-{number // 3}", "direction": "in", "from": f"+7495{number // 3:07}",
        "to": LINE, "at": "2026-11-23T10:00:00Z", "text": "x" * 200,
    }  # fmt: skip
    body = json.dumps(event).encode()
    headers = sign_standard(SECRET, f"{run}-{number}", datetime.now(UTC), body)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    lines += ["Host: localhost", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(["POST /hooks/main HTTP/1.1", *lines, "", ""]).encode() + body


async def post_all(host: str, port: int, requests: list[bytes], clients: int) -> dict[str, object]:
    """Posts them all and tells how it went."""
    waiting = iter(requests)
    statuses: Counter[str] = Counter()
    times: list[float] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for one in waiting:
            started = time.perf_counter()
            writer.write(one)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            times.append(time.perf_counter() - started)
            statuses[head[9:12].decode()] += 1
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "statuses": statuses, "p50": percentile(times, 0.5), "p99": percentile(times, 0.99)}


def main() -> None:
    """Reads the command line."""
    host, port, count, clients = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    run = uuid4().hex
    requests = [request(number, run) for number in range(count)]
    print(json.dumps(on_fast_loop(lambda: post_all(host, port, requests, clients))))


if __name__ == "__main__":
    main()
