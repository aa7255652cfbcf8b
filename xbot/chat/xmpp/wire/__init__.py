"""Bytes and elements: parser, serialiser, limits, wire log. Knows nothing of rooms."""
