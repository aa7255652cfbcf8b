"""What lasts: the journal, the brain, and the SQLite files that they are kept in."""
