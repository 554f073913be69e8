"""Commands of worklists, by use case."""

from apps.worklists.performing.exams import (
    exam_end,
    exam_start,
    exam_stop,
    exam_undo,
    order_discontinue,
)
from apps.worklists.performing.services import performed_step_create, performed_step_set
from apps.worklists.performing.watch import performed_steps_watch

__all__ = [
    "exam_end",
    "exam_start",
    "exam_stop",
    "exam_undo",
    "order_discontinue",
    "performed_step_create",
    "performed_step_set",
    "performed_steps_watch",
]
