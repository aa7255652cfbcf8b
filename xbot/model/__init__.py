"""Values that all else is made of: addresses, messages, errors, limits. No reactor, no clock."""
