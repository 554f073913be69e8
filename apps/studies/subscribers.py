"""What studies listen to."""

from apps.core import clock
from apps.core.actors import system_actor
from apps.core.events import Event, subscribe
from apps.studies.services import order_match_waiting


@subscribe("orders.order.placed")
def join_waiting_images(event: Event) -> None:
    """Join the images that came before their order."""
    order_match_waiting(
        actor=system_actor("matching"), order_id=event.payload["order_id"], at=clock.now()
    )
