"""What studies listen to."""

from functools import partial

import structlog
from celery import Task
from django.db import transaction
from kombu.exceptions import OperationalError

from apps.core import clock
from apps.core.actors import system_actor
from apps.core.events import Event, subscribe
from apps.studies.services import order_match_waiting
from apps.studies.services.quarantine import quarantine_replaced
from apps.studies.steps import damage_close, damage_open
from apps.studies.tasks import compare_versions, take_uploads

log = structlog.get_logger(__name__)


@subscribe("orders.order.placed")
def join_waiting_images(event: Event) -> None:
    """Join the images that came before their order."""
    order_match_waiting(
        actor=system_actor("matching"), order_id=event.payload["order_id"], at=clock.now()
    )


@subscribe("studies.study.received")
def settle_quarantine(event: Event) -> None:
    """Close what waited in quarantine and has come whole since."""
    quarantine_replaced(
        actor=system_actor("quarantine"), study_id=event.payload["study_id"], at=clock.now()
    )


@subscribe("archive.object.lost")
def show_damage(event: Event) -> None:
    """Show a person which study has lost an image: no good copy of it is left."""
    damage_open(stored_object_id=event.payload["stored_object_id"], at=event.published_at)


@subscribe("archive.object.recovered")
def close_damage(event: Event) -> None:
    """Close the item once every image of the study has a good copy again."""
    damage_close(
        stored_object_id=event.payload["stored_object_id"],
        actor=system_actor("verifier"),
        at=event.published_at,
    )


@subscribe("studies.instance.came-again")
def compare_with_current(event: Event) -> None:
    """Ask a worker to compare."""
    del event  # the rows say what is due
    transaction.on_commit(partial(_wake, compare_versions))


@subscribe("studies.upload.arrived")
def take_upload(event: Event) -> None:
    """Have a worker take up a file that is whole."""
    del event  # the rows say what is due
    transaction.on_commit(partial(_wake, take_uploads))


def _wake(task: Task) -> None:
    """Ask a worker; where the broker is down, the beat finds the work later."""
    try:
        task.apply_async(retry=False)
    except OperationalError as error:
        log.warning("studies.worker-not-woken", task=task.name, reason=str(error))
