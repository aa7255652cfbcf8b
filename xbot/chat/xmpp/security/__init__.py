"""TLS, SASL, SCRAM, channel binding, and protection against downgrades."""
