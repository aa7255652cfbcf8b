"""One loaded responder and all that it has: its calls, its scope, its programs, its answers."""
