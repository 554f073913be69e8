"""What performing learns from the study index."""

from apps.core.actors import system_actor
from apps.core.events import Event, subscribe
from apps.worklists.performing.images import images_complete, images_received


@subscribe("studies.study.received", "studies.study.matched")
def begin_by_images(event: Event) -> None:
    """Move the steps of a study whose images are here."""
    images_received(
        actor=system_actor("worklist"),
        study_id=event.payload["study_id"],
        at=event.published_at,
    )


@subscribe("studies.study.completed")
def end_by_images(event: Event) -> None:
    """End the steps that only images speak for."""
    images_complete(
        actor=system_actor("worklist"),
        study_id=event.payload["study_id"],
        at=event.published_at,
    )
