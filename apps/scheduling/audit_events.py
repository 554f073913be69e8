"""Audited events of scheduling."""

from apps.audit.models import Action
from apps.audit.registry import register

BOOKED = register("scheduling.appointment.booked", Action.CREATE, "Booked an exam")
MOVED = register("scheduling.appointment.moved", Action.UPDATE, "Moved an appointment")
CANCELLED = register("scheduling.appointment.cancelled", Action.UPDATE, "Cancelled an appointment")
RESTORED = register("scheduling.appointment.restored", Action.UPDATE, "Took a change back")
VOIDED = register("scheduling.appointment.voided", Action.UPDATE, "Took a booking back")
ARRIVED = register("scheduling.appointment.arrived", Action.UPDATE, "Noted an arrival")
READY = register("scheduling.appointment.ready", Action.UPDATE, "Noted a patient as ready")
MISSED = register(
    "scheduling.appointment.missed", Action.UPDATE, "Noted that a patient did not come"
)
WALKED_IN = register("scheduling.step.walked-in", Action.CREATE, "Took an exam without appointment")
STEP_STARTED = register("scheduling.step.started", Action.UPDATE, "Exam started")
STEP_COMPLETED = register("scheduling.step.completed", Action.UPDATE, "Exam completed")
STEP_DISCONTINUED = register("scheduling.step.discontinued", Action.UPDATE, "Exam stopped early")
DAY_VIEWED = register("scheduling.day.viewed", Action.READ, "Looked at a day of the schedule")
TO_BOOK_VIEWED = register(
    "scheduling.to-book.viewed", Action.READ, "Looked at the exams to schedule"
)
EXAM_VIEWED = register("scheduling.exam.viewed", Action.READ, "Looked at an exam to schedule")
