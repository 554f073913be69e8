"""Commands of scheduling, by use case."""

from apps.scheduling.services.arrival import (
    appointment_arrive,
    appointment_check_in,
    appointment_noshow,
    appointment_undo_arrival,
    appointment_undo_noshow,
    step_ready,
    walk_in,
)
from apps.scheduling.services.booking import (
    appointment_book,
    appointment_move,
    appointment_undo_booking,
    appointment_undo_move,
)
from apps.scheduling.services.cancelling import (
    appointment_cancel,
    appointment_undo_cancel,
    order_cancel_with_slot,
)

__all__ = [
    "appointment_arrive",
    "appointment_book",
    "appointment_cancel",
    "appointment_check_in",
    "appointment_move",
    "appointment_noshow",
    "appointment_undo_arrival",
    "appointment_undo_booking",
    "appointment_undo_cancel",
    "appointment_undo_move",
    "appointment_undo_noshow",
    "order_cancel_with_slot",
    "step_ready",
    "walk_in",
]
