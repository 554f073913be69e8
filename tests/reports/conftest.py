import pytest

from tests.reading.builders import ReadingRoom, make_room


@pytest.fixture
def room(db) -> ReadingRoom:
    return make_room()


@pytest.fixture
def committed_room(transactional_db) -> ReadingRoom:
    """The same, committed, for threads and browsers."""
    return make_room()
