"""From settings to responders."""
