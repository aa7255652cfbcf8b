"""Logging: text and JSON formats, per-namespace levels, deduplication, and escaping."""
