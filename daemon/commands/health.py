"""`ringmail health`: asks the daemon of this configuration whether it is ready, for containers and load balancers."""

import errno
import http.client
import socket
from typing import Annotated

import typer

from config.tables import Endpoint
from daemon.commands import show
from daemon.commands.given import Failed, given_of

OK = 200
ANSWER_SECONDS = 5.0
ANSWER_BYTES_MAX = 2000
_ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # asked, not bound

app = typer.Typer(rich_markup_mode=None)


@app.command("health")
def health(
    context: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing when all is well.")] = False,
) -> None:
    """Exit code 0 when the daemon is ready."""
    listen = given_of(context).settings().http.listen
    status, words = ask(listen, "/readyz")
    if status is None:
        raise Failed(f"No daemon answers at {listen}: {words}.")
    if status != OK:
        raise Failed(f"The daemon at {listen} is not ready: {status} {words}".rstrip())
    if not quiet:
        show.say("ready")


def ask(listen: Endpoint, path: str) -> tuple[int | None, str]:
    """The status of a path where we listen and the beginning of its answer; None and the reason where nobody answers."""
    host = _ANY_HOST.get(listen.host, listen.host)
    connection = http.client.HTTPConnection(host, listen.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, " ".join(answer.read(ANSWER_BYTES_MAX).decode("utf-8", "replace").split())
    except (OSError, http.client.HTTPException) as error:
        return None, getattr(error, "strerror", None) or str(error) or type(error).__name__
    finally:
        connection.close()


def is_free(listen: Endpoint) -> bool:
    """Whether we could listen there now. Raises OSError where the address is not ours or the port not allowed."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True
