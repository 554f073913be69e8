"""Tasks of studies."""

from apps.core import clock
from apps.core.actors import system_actor
from apps.core.tasks import pacs_task
from apps.studies.services import studies_settle


@pacs_task()
def settle_studies() -> None:
    """Judge the studies that have gone quiet."""
    while studies_settle(actor=system_actor("completeness"), at=clock.now()):
        pass
