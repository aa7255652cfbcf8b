"""Chat networks: what the engine knows of one (``interfaces``), and each of them."""
