"""Free TCP ports that stay free: no other program is given them."""

import socket

_reserved: list[socket.socket] = []


def free_port() -> int:
    """Reserve a port of the loopback address until this process ends.

    A connection to it is refused until a server listens there. The port stays bound
    here, so the kernel gives it to no one else, such as a test that runs at the same
    time. A server that sets SO_REUSEADDR, as all of ours do, can listen all the same.
    """
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    # Only now: a port of which this is set before can be given out twice.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _reserved.append(holder)
    port: int = holder.getsockname()[1]
    return port
