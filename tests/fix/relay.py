"""Carries connections on: between a container without a network and the test's Hub, through a socket in a folder that both see.

In the container it runs as a script, of which Python's own modules are all that it needs.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

SOCKET = "/relay/hub.sock"


def relay(listening: socket.socket, onward: Callable[[], socket.socket]) -> None:
    """Until the listening socket is closed."""
    while True:
        try:
            came, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_both_ways, args=(came, onward()), daemon=True).start()


def _both_ways(one: socket.socket, other: socket.socket) -> None:
    back = threading.Thread(target=_pump, args=(other, one), daemon=True)
    back.start()
    _pump(one, other)
    back.join()
    one.close()
    other.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(65_536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def unix(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.connect(path)
    return made


if __name__ == "__main__":
    endpoint = os.environ["HF_ENDPOINT"].rpartition(":")[2]
    relay(socket.create_server(("127.0.0.1", int(endpoint))), lambda: unix(SOCKET))
