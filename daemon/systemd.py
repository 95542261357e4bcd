"""What systemd wants to hear of a service with Type=notify (sd_notify(3)): one datagram to $NOTIFY_SOCKET."""

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Says `READY=1`, `RELOADING=1`, `STOPPING=1` or `STATUS=…`; nothing where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = "\x00" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), address)
