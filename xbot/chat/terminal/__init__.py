"""Terminal chat network: what ``xbot shell`` talks through."""
