"""Audited events of the HL7 edge."""

from apps.audit.models import Action
from apps.audit.registry import register

REFUSED = register("hl7.message.refused", Action.EXECUTE, "Refused an HL7 message")
REPLAYED = register("hl7.message.replayed", Action.EXECUTE, "Processed an HL7 message again")
