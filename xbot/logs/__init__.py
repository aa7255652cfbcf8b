"""The log: records for people and for machines, in which nothing that anyone said can act."""
