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
