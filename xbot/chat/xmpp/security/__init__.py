"""TLS, SASL, SCRAM, channel binding, certificate pinning and downgrade protection."""
