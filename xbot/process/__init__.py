"""The process itself: threads, systemd, SIGHUP, shutdown, its clock."""
