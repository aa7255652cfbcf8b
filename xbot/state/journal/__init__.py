"""The journal: what was accepted to run, and what came of it, on the disk."""
