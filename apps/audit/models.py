import pgtrigger
from django.contrib.postgres.indexes import BrinIndex
from django.db import models


class Action(models.TextChoices):
    """PS3.15 A.5.3.1 Event Action Code."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    DELETE = "D"
    EXECUTE = "E"


class Outcome(models.IntegerChoices):
    """PS3.15 A.5.3.1 Event Outcome Indicator."""

    SUCCESS = 0
    MINOR_FAILURE = 4
    SERIOUS_FAILURE = 8
    MAJOR_FAILURE = 12


class AuditEvent(models.Model):
    """Who did or saw what. Append-only; holds snapshots, no foreign keys.

    Source: PS3.15 A.5, FHIR R4 AuditEvent.
    """

    at = models.DateTimeField()
    event = models.CharField(max_length=80, help_text="dotted, from apps.audit.registry")
    action = models.CharField(max_length=1, choices=Action.choices)
    outcome = models.PositiveSmallIntegerField(choices=Outcome.choices, default=Outcome.SUCCESS)
    actor_key = models.CharField(max_length=100)
    actor_display = models.CharField(max_length=200)
    actor_roles = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=100, blank=True)
    door = models.CharField(max_length=20, help_text="page, api, dicomweb, dimse, hl7, task")
    patient_key = models.CharField(max_length=20, blank=True)
    study_instance_uid = models.CharField(max_length=64, blank=True)
    object_key = models.CharField(max_length=100, blank=True)
    query = models.TextField(blank=True)
    details = models.JSONField(default=dict)
    fold_key = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 - NULL: not folded

    class Meta:
        indexes = [
            models.Index(fields=["patient_key", "id"], name="audit_by_patient"),
            models.Index(fields=["study_instance_uid", "id"], name="audit_by_study"),
            models.Index(fields=["actor_key", "id"], name="audit_by_actor"),
            BrinIndex(fields=["at"], name="audit_by_time"),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.at:%F %T} {self.actor_key} {self.event}"


class AuditSeal(models.Model):
    """One link of the hash chain: covers the events of a closed range of ids."""

    first_id = models.BigIntegerField(unique=True)
    last_id = models.BigIntegerField(unique=True)
    count = models.PositiveIntegerField()
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    class Meta:
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.first_id}-{self.last_id}"
