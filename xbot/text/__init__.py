"""Text tools without a network: templates, durations, "did you mean", a terminal's colours."""
