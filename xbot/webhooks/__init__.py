"""What other programs post to us over HTTP, and we say in a room."""
