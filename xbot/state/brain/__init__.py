"""The brain: what responders remember, on the disk and between restarts."""
