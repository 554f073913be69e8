import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.dimse.provider import IsocenterProvider
from apps.dimse.scp import HANDLERS
from apps.dimse.upper.acceptor import Limits
from tests.dimse.installation import Installation, installation
from tests.dimse.servers import Server


@pytest.fixture(scope="session")
def installed() -> Iterator[Installation]:
    """A durable installation; its listener is started by each test as it needs it."""
    folder = Path(tempfile.mkdtemp(prefix=f"isocenter-test-{os.getpid()}-dimse")).resolve()
    folder.chmod(0o711)
    with installation(folder) as made:
        yield made


@pytest.fixture
def server(transactional_db: None, settings: Any) -> Iterator[Server]:
    """The real services over the test's own database, in threads of this process."""
    settings.ISOCENTER_OPEN_AE = True
    with Server(IsocenterProvider(HANDLERS), Limits(artim_s=5, message_s=20, idle_s=20)) as made:
        yield made


@pytest.fixture
def listener(installed: Installation) -> Installation:
    """The installation with a running listener that admits everyone."""
    if installed.listener is None or not installed.is_plain:
        installed.start()
    return installed
