"""Tasks of worklists."""

from apps.core import clock
from apps.core.tasks import pacs_task
from apps.worklists.performing.watch import performed_steps_watch


@pacs_task(time_limit=120)
def performed_steps_look() -> None:
    """Look for performed steps that are late and images that are missing (beat, 5 minutes)."""
    performed_steps_watch(at=clock.now())
