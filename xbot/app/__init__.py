"""The whole bot put together: service, daemon, demo, shell."""
