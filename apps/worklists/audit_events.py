"""Audited events of worklists."""

from apps.audit.models import Action
from apps.audit.registry import register

READING_LIST_READ = register(
    "worklists.reading.list-read", Action.READ, "Looked at the reading list"
)
READING_ITEM_READ = register(
    "worklists.reading.read", Action.READ, "Looked at an exam on the reading list"
)
READING_CLAIMED = register("worklists.reading.claimed", Action.UPDATE, "Took an exam to read")
READING_RELEASED = register(
    "worklists.reading.released", Action.UPDATE, "Gave an exam back to the reading list"
)
READING_FORCE_RELEASED = register(
    "worklists.reading.force-released", Action.UPDATE, "Took an exam away from its reader"
)
READING_HANDED_OFF = register(
    "worklists.reading.handed-off", Action.UPDATE, "Handed an exam to another reader"
)
READING_FILTER_SAVED = register(
    "worklists.reading.filter-saved", Action.UPDATE, "Saved a reading list"
)
READING_FILTER_DELETED = register(
    "worklists.reading.filter-deleted", Action.DELETE, "Deleted a saved reading list"
)
WORKLIST_QUERIED = register(
    "worklists.modality.queried", Action.READ, "A scanner asked for its worklist"
)
PERFORMED_CREATED = register(
    "worklists.performed-step.created", Action.CREATE, "A scanner step began"
)
PERFORMED_CHANGED = register(
    "worklists.performed-step.changed", Action.UPDATE, "A scanner step changed"
)
PERFORMED_ENDED = register("worklists.performed-step.ended", Action.UPDATE, "A scanner step ended")
ROOM_VIEWED = register("worklists.room.viewed", Action.READ, "Looked at a room's exams")
EXAM_UNDONE = register(
    "worklists.exam.undone", Action.UPDATE, "Took the start or end of an exam back"
)
