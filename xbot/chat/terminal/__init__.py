"""The shell: a terminal as a chat service."""
