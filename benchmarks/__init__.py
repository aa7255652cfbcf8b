"""Benchmarks: CPU time, memory and latency of xbot and of other bots; ``make bench``."""
