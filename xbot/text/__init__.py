"""Text functions without I/O: templates, durations, "did you mean", SASLprep, terminal output."""
