import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dimse.installation import Installation, installation


@pytest.fixture(scope="session")
def installed() -> Iterator[Installation]:
    """A durable installation; its listener is started by each test as it needs it."""
    folder = Path(tempfile.mkdtemp(prefix=f"isocenter-test-{os.getpid()}-dimse")).resolve()
    folder.chmod(0o711)
    with installation(folder) as made:
        yield made


@pytest.fixture
def listener(installed: Installation) -> Installation:
    """The installation with a running listener that admits everyone."""
    if installed.listener is None or not installed.is_plain:
        installed.start()
    return installed
