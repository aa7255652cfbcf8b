"""Integration tests: the real daemon against real servers and a third-party client.

``trial tests.integration``, or ``python -m unittest`` on the same name. A server that
is not installed skips its tests, unless ``XBOT_REQUIRE_SERVERS=1`` makes that a failure.
Everything listens on the loopback address, on ports that were free, in temporary folders.
"""
