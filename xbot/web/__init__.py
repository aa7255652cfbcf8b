"""The bot over HTTP: is it well, its numbers, and a page for people. It only tells."""
