"""HTTP server: health checks, metrics, a read-only status page, and the way in for webhooks."""
