"""Persistence: the journal, the brain, and the SQLite files that store them."""
