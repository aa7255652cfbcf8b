"""Control socket in the state folder: client and server of ``xbot say`` and ``xbot status``."""
