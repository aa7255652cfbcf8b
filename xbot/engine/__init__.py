"""What decides and runs: dispatch, loading, the outbox. Deferreds and a clock, no sockets."""
