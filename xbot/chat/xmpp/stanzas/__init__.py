"""What stanzas say: addresses, delay, occupants, presence, and the fast paths."""
