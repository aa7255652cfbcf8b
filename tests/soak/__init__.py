"""Soak test: hours of faults in minutes, on real servers, and an account of each command.

``python -m tests.soak --help``, or ``make soak``. Bots are cut off, killed and stopped while
people give them work of every kind; afterwards each command is classified (``ledger``). The
integration tests run a tenth of it.
"""
