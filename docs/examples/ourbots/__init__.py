"""Our responders: an example project. See docs/testing.md of xbot."""
