"""Ports on loopback for servers of tests."""

import socket

_HELD: list[socket.socket] = []


def free_port() -> int:
    """A port that nobody listens on, and that nobody else is given as long as this process lives.

    A socket holds it, without listening: whoever connects is refused, and whoever wants any port gets another one. A
    server that is told this one gets it: SO_REUSEADDR, which servers set, lets it share with who does not listen.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    return int(held.getsockname()[1])
