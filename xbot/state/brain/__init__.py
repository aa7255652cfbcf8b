"""The brain: persistent key-value storage for responders."""
