"""Message dispatch: filters, rate limits, routing, consent, runs and their output."""
