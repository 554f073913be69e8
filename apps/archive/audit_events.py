"""Audited events of the archive."""

from apps.audit.models import Action
from apps.audit.registry import register

SWEPT = register("archive.files.swept", Action.DELETE, "Removed files that were never recorded")
DAMAGED = register("archive.copy.damaged", Action.EXECUTE, "Found a stored copy damaged")
REPAIRED = register("archive.copy.repaired", Action.CREATE, "Made a new copy from a good one")
RECOVERED = register("archive.copy.recovered", Action.EXECUTE, "Found a damaged copy good again")
PASS_FINISHED = register("archive.pass.finished", Action.EXECUTE, "Read every copy of a storage")
