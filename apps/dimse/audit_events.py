"""Audited events of dimse."""

from apps.audit.models import Action
from apps.audit.registry import register

NODE_TESTED = register("dimse.node.tested", Action.EXECUTE, "Tried a DICOM node")
