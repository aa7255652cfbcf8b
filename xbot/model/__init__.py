"""Value types that every other package uses: addresses, messages, errors, limits.

No reactor, no clock.
"""
