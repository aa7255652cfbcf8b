"""``dig``: the addresses of a host. A plain function may block: it has a thread of its own."""

import socket
from collections.abc import Callable

from xbot import Failed, Message, respond, table


@respond(r"dig (?P<host>[\w.-]+)", usage="dig HOST", help="the addresses of HOST", effect=False)
def dig(message: Message, host: str) -> str:
    return answer(host, socket.getaddrinfo)


def answer(host: str, look_up: Callable[..., list]) -> str:
    """What is said of ``host``, given how its addresses are looked up."""
    try:
        found = look_up(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Failed(f"Nobody knows {host}.", str(error)) from error
    addresses = sorted({address[0] for *_, address in found})
    return table([[host, address] for address in addresses])
