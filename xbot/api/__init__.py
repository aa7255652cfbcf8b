"""The public API for responder authors, exported as ``from xbot import ...``."""
