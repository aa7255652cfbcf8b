"""``python -m tests.hermetic [quick | slow]``: the test modules that need no server, for trial.

``slow`` are those of :data:`SLOW`, ``quick`` all others; without a word, both.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent

#: Modules that take seconds: they start programs, or try thousands of inputs.
SLOW = {
    "tests.app.test_demo",
    "tests.app.test_shell",
    "tests.control.test_client",
    "tests.hostile.test_bounds",
    "tests.hostile.test_faults",
    "tests.hostile.test_fuzz",
    "tests.hostile.test_guards",
    "tests.hostile.test_load",
    "tests.process.test_container_init",
    "tests.test_examples",
    "tests.test_secrets",
    "tests.test_tap",
}


def modules() -> set[str]:
    """Every test module but those of the integration tests."""
    paths = (path.relative_to(HERE.parent) for path in HERE.rglob("test_*.py"))
    return {
        ".".join(path.with_suffix("").parts) for path in paths if "integration" not in path.parts
    }


def chosen(which: str) -> set[str]:
    """The modules of the set ``quick``, ``slow`` or ``all``."""
    everything = modules()
    if not everything >= SLOW:
        sys.exit(f"tests/hermetic.py: no such module: {', '.join(sorted(SLOW - everything))}")
    return {"quick": everything - SLOW, "slow": SLOW, "all": everything}[which]


if __name__ == "__main__":
    print("\n".join(sorted(chosen(*sys.argv[1:] or ["all"]))))
