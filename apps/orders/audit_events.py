"""Audited events of orders."""

from apps.audit.models import Action
from apps.audit.registry import register

PLACED = register("orders.order.placed", Action.CREATE, "Placed an order")
CHANGED = register("orders.order.changed", Action.UPDATE, "Changed an order")
CANCELLED = register("orders.order.cancelled", Action.UPDATE, "Cancelled an order")
DISCONTINUED = register("orders.order.discontinued", Action.UPDATE, "Discontinued an order")
MOVED = register("orders.order.moved", Action.UPDATE, "Moved an order on")
VIEWED = register("orders.order.viewed", Action.READ, "Saw an order")
PROCEDURE_SAVED = register("orders.procedure.saved", Action.UPDATE, "Changed the catalogue")
PROCEDURE_MAPPED = register(
    "orders.procedure.mapped", Action.UPDATE, "Said what a sender's code means"
)
MAPPING_UNDONE = register(
    "orders.procedure.mapping-undone", Action.UPDATE, "Took back what a sender's code means"
)
