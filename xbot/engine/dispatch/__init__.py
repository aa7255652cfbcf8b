"""From a message to its answers: what is obeyed, by whom, and within which bounds."""
