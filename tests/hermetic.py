"""``python -m tests.hermetic``: the names of the tests that need no server, for trial."""

from pathlib import Path

HERE = Path(__file__).parent


def modules() -> list[str]:
    """Every test module but those of the integration tests."""
    paths = (path.relative_to(HERE.parent) for path in HERE.rglob("test_*.py"))
    return sorted(
        ".".join(path.with_suffix("").parts) for path in paths if "integration" not in path.parts
    )


if __name__ == "__main__":
    print("\n".join(modules()))
