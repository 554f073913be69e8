"""Audited events of the archive."""

from apps.audit.models import Action
from apps.audit.registry import register

SWEPT = register("archive.files.swept", Action.DELETE, "Removed files that were never recorded")
