"""The journal: a durable record of commands that were accepted to run, and their outcomes."""
