"""Saying something through the bot that runs: a socket in its state folder, and who talks to it."""
