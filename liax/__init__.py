"""LIA-X portrait animation. Import what you need from its modules; nothing heavy is imported here."""

__version__ = "0.1.0"
