"""Matching: addressing and regular expressions, with prefilters and ReDoS protection."""
