"""Webhooks: programs post JSON over HTTP, and the bot sends a text to rooms."""
