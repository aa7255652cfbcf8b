"""What authors import, behind ``from xbot import ...``."""
