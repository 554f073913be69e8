"""What the reading list learns from the study index."""

from apps.core.events import Event, subscribe
from apps.worklists.reading.steps import study_sync


@subscribe(
    "studies.study.received",
    "studies.study.matched",
    "studies.study.unmatched",
    "studies.study.completed",
)
def follow_study(event: Event) -> None:
    """Put the study's exams on the reading list, or take them off it."""
    study_sync(study_id=event.payload["study_id"], at=event.published_at)
