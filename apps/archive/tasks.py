"""Tasks of the archive."""

from apps.archive.services import orphans_sweep
from apps.core import clock
from apps.core.actors import system_actor
from apps.core.tasks import pacs_task


@pacs_task(time_limit=3600)
def sweep_archive() -> None:
    """Remove what was begun and never recorded."""
    orphans_sweep(actor=system_actor("sweeper"), at=clock.now())
