"""Process-level services: threads, systemd, SIGHUP, shutdown time-outs, a monotonic clock."""
