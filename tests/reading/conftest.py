"""A reading room, committed where threads or a browser look at it."""

import pytest

from tests.reading.browser import MANIFEST, Watched
from tests.reading.builders import ReadingRoom, make_room


@pytest.fixture
def room(db) -> ReadingRoom:
    return make_room()


@pytest.fixture
def committed_room(transactional_db) -> ReadingRoom:
    """The same, committed, for threads and browsers."""
    return make_room()


@pytest.fixture
def watched(page, live_server, committed_room):
    """A browser's page on the room; it fails the test where the console complained."""
    if not MANIFEST.is_file():
        pytest.fail("the front end is not built: npm ci && npm run build", pytrace=False)
    found = Watched(page, live_server.url)
    yield found
    assert found.complaints == []
