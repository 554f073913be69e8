"""What studies listen to."""

from apps.core import clock
from apps.core.actors import system_actor
from apps.core.events import Event, subscribe
from apps.studies.services import order_match_waiting
from apps.studies.services.quarantine import quarantine_replaced


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
