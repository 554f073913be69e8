"""The reading room of tests/reading."""

from tests.reading.conftest import committed_room, room, watched

__all__ = ["committed_room", "room", "watched"]
