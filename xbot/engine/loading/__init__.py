"""Loading: make responders from the ini's settings, start them, and replace them on reload."""
