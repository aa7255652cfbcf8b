"""What people test their responders with, and the loopback server."""
