"""Loads the handlers of every use case of this app."""

from apps.worklists.performing import subscribers as performing
from apps.worklists.reading import subscribers as reading

__all__ = ["performing", "reading"]
