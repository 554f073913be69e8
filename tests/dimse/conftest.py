from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from apps.dimse.provider import IsocenterProvider
from apps.dimse.scp import HANDLERS
from apps.dimse.sop_classes import Service
from apps.dimse.statuses import ANSWERS
from apps.dimse.upper.provider import Limits, Record
from tests.dimse.installation import Installation
from tests.dimse.servers import Server

OUTSIDE = {0x0211}
CLAIMED: dict[str, set[int]] = {}
for _services, _names in (
    ((Service.ECHO,), ("C-ECHO",)),
    ((Service.STORE,), ("C-STORE",)),
    ((Service.FIND, Service.WORKLIST), ("C-FIND",)),
    ((Service.MOVE,), ("C-MOVE",)),
    ((Service.GET,), ("C-GET",)),
    ((Service.MPPS,), ("N-CREATE", "N-SET")),
    ((Service.COMMIT,), ("N-ACTION",)),
):
    for _name in _names:
        CLAIMED[_name] = {status for service in _services for status in ANSWERS[service]}


@dataclass(frozen=True, slots=True)
class WatchedProvider(IsocenterProvider):
    """Ours, whose answers are kept to be compared with what the statement claims."""

    watched: list[Record] = field(default_factory=list)

    def ended(self, record: Record) -> None:
        self.watched.append(record)
        IsocenterProvider.ended(self, record)


@pytest.fixture
def server(transactional_db: None, settings: Any) -> Iterator[Server]:
    """The real services over the test's own database, in threads of this process."""
    settings.ISOCENTER_OPEN_AE = True
    answered: list[Record] = []
    provider = WatchedProvider(HANDLERS, watched=answered)
    with Server(provider, Limits(artim_s=5, message_s=20, idle_s=20)) as made:
        yield made
    unclaimed = {
        message
        for record in answered
        for message in record.messages
        if int(message.split()[1][:4], 16) not in CLAIMED.get(message.split()[0], OUTSIDE)
    }
    assert not unclaimed, f"statuses that the conformance statement does not have: {unclaimed}"


@pytest.fixture
def listener(installed: Installation) -> Installation:
    """The installation with a running listener that admits everyone."""
    if installed.listener is None or not installed.is_plain:
        installed.start()
    return installed
