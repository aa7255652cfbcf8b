"""The forms in which a secret could leak, for the tests that look for it."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import quote


def forms(secret: str) -> Iterator[str]:
    """As it is, in hex, in base64 at each of its three alignments, and otherwise quoted."""
    data = secret.encode()
    yield secret
    yield data.hex()
    yield data.hex().upper()
    yield quote(secret, safe="")
    for encode in (b64encode, urlsafe_b64encode):
        for offset in range(3):
            encoded = encode(b"\0" * offset + data).decode().rstrip("=")
            # Without the characters that depend on what surrounds it.
            yield encoded[(0, 2, 3)[offset] : -1]
