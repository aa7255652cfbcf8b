"""Durable SQLite files that survive kills and power cuts, written from a thread of their own."""
