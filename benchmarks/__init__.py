"""What the bot costs, beside others that do the same: ``make bench``."""
