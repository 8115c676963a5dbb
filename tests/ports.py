"""Ports on loopback for servers of tests."""

import socket

_HELD: list[socket.socket] = []


def free_port() -> int:
    """A port that nobody listens on, and that nobody else is given as long as this process lives.

    A socket holds it, without listening: whoever connects is refused, whoever wants any port gets another one, and a
    server that is told this one can have it, because servers allow others that do not listen (SO_REUSEADDR).
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    return int(held.getsockname()[1])
