"""The application: the whole bot assembled as service, daemon, demo and shell."""
