"""The engine: dispatch, responder loading, outbox. Deferreds and a clock, no sockets."""
