"""Reading and writing stanzas: addresses, delay, occupants, presence, and the fast paths."""
