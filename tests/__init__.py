"""Tests of xbot: ``tests/`` mirrors ``xbot/``; ``hostile`` and ``integration`` stand beside."""

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # The benchmarks use some of these modules, and do without it.
    pass
else:
    from tests.effort import examples

    # Tests run beside each other and on busy machines: how long one takes says nothing.
    settings.register_profile(
        "xbot",
        max_examples=examples(100),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("xbot")
