"""Memory: whether the resident size of a process stays flat after its warm-up."""

from __future__ import annotations

from collections.abc import Sequence

#: Share of the time that counts as warm-up.
WARM_UP = 1 / 3

#: Growth in KiB over the rest of the time above which memory is not flat.
BOUND = 2048.0

Sample = tuple[float, int]
"""Seconds, and KiB."""


def growth(samples: Sequence[Sample]) -> float:
    """Growth in KiB over the time after the warm-up, by the least-squares line."""
    if len(samples) < 2:
        return 0.0
    begin, end = samples[0][0], samples[-1][0]
    warm = begin + (end - begin) * WARM_UP
    points = [(at - warm, size) for at, size in samples if at >= warm]
    middle = sum(at for at, _ in points) / len(points)
    mean = sum(size for _, size in points) / len(points)
    spread = sum((at - middle) ** 2 for at, _ in points)
    if not spread:
        return 0.0
    slope = sum((at - middle) * (size - mean) for at, size in points) / spread
    return slope * (end - warm)
