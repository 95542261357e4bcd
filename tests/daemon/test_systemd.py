"""What systemd hears."""

import socket
from pathlib import Path

import pytest

from daemon.systemd import notify


def listening(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(address)
    listener.settimeout(5)
    return listener


def test_a_state_is_one_datagram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(str(tmp_path / "notify")) as listener:
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        notify("READY=1\nSTATUS=Готово")

        assert listener.recv(100).decode() == "READY=1\nSTATUS=Готово"


def test_an_abstract_socket_is_found_by_its_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"ringmail-{tmp_path.name}-{id(tmp_path)}"
    with listening(f"\x00{name}") as listener:
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")

        notify("STOPPING=1")

        assert listener.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("address", [None, "", "relative", "/nowhere/notify", "@", "/" + "x" * 200])
def test_where_nobody_listens_nothing_happens(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)

    notify("READY=1")
