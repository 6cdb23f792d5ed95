"""The command: ``python -m sklearn_neurox``."""
