"""Tasks of studies."""

from apps.core import clock
from apps.core.actors import system_actor
from apps.core.tasks import pacs_task
from apps.studies.services import studies_settle
from apps.studies.services.quarantine import quarantine_purge
from apps.studies.services.settling import BATCH
from apps.studies.services.uploads import uploads_expire, uploads_take
from apps.studies.services.versions import versions_compare


@pacs_task()
def settle_studies() -> None:
    """Judge the studies that have gone quiet, or of which something new may be said."""
    while studies_settle(actor=system_actor("completeness"), at=clock.now()) == BATCH:
        pass


@pacs_task(time_limit=3600)
def purge_quarantine() -> None:
    """Remove the files of what was decided long enough ago."""
    while quarantine_purge(actor=system_actor("quarantine"), at=clock.now()):
        pass


@pacs_task(time_limit=1800)
def compare_versions() -> None:
    """Find out in what images that came again differ from the current ones."""
    versions_compare(at=clock.now())


@pacs_task(time_limit=6 * 3600)
def take_uploads() -> None:
    """Take what came whole through the browser: ZIPs, and files longer than one piece."""
    uploads_take(at=clock.now())


@pacs_task()
def expire_uploads() -> None:
    """Remove the pieces of uploads that nobody went on with."""
    uploads_expire(actor=system_actor("uploads"), at=clock.now())
