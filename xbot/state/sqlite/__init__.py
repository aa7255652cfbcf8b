"""A file of the state folder that survives kills and power cuts, and never holds the reactor."""
