"""Tasks of the archive."""

from django.conf import settings

from apps.archive.services import copies_count, copies_make, copies_verify, orphans_sweep
from apps.core import clock
from apps.core.actors import system_actor
from apps.core.tasks import pacs_task

VERIFY_SECONDS = 20.0
COPY_SECONDS = 45.0


@pacs_task(time_limit=3600)
def sweep_archive() -> None:
    """Remove what was begun and never recorded."""
    orphans_sweep(actor=system_actor("sweeper"), at=clock.now())


@pacs_task(time_limit=3600)
def verify_archive() -> None:
    """Go on with reading every copy again, a third of each minute, and with counting them."""
    copies_verify(
        actor=system_actor("verifier"),
        seconds=VERIFY_SECONDS,
        bytes_per_second=settings.ARCHIVE_SCRUB_MB_PER_S * 1e6,
    )
    copies_count()


@pacs_task(time_limit=3600)
def copy_archive() -> None:
    """Go on with copying everything to the storages that keep a copy of all."""
    copies_make(actor=system_actor("copier"), seconds=COPY_SECONDS)
