"""Audited events of patients."""

from apps.audit.models import Action
from apps.audit.registry import register

REGISTERED = register("patients.patient.registered", Action.CREATE, "Registered a patient")
UPDATED = register("patients.patient.updated", Action.UPDATE, "Changed a patient's identity")
MERGED = register("patients.patient.merged", Action.UPDATE, "Merged two patients")
UNMERGED = register("patients.patient.unmerged", Action.UPDATE, "Undid a merge of patients")
SEARCHED = register("patients.patient.searched", Action.EXECUTE, "Searched for patients")
VIEWED = register("patients.patient.viewed", Action.READ, "Saw a patient's page")
