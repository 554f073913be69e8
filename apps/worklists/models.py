from django.conf import settings
from django.db import models

from apps.accounts.models import AttentionItem, ProtectedModel, Site
from apps.orders.models import RequestedProcedure
from apps.patients.models import Patient
from apps.scheduling.models import ScheduledStep
from apps.studies.models import Study
from apps.worklists.domain import PERFORMED_STEP


class PerformedStep(models.Model):
    """A modality performed procedure step (PS3.4 F). Its final states take no more changes."""

    sop_instance_uid = models.CharField(max_length=64, unique=True)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    patient = models.ForeignKey(Patient, null=True, on_delete=models.PROTECT, related_name="+")
    scheduled_steps = models.ManyToManyField(ScheduledStep, related_name="performed_steps")
    status = models.CharField(
        max_length=16, choices=PERFORMED_STEP.choices(), default="IN PROGRESS"
    )
    performed_procedure_step_id = models.CharField(max_length=16)
    performed_station_ae_title = models.CharField(max_length=16)
    modality = models.CharField(max_length=16)
    study_instance_uid = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    discontinuation_reason = models.CharField(max_length=100, blank=True)
    attributes = models.JSONField(default=dict, help_text="the data set as DICOM JSON")

    class Meta:
        constraints = [PERFORMED_STEP.constraint()]
        triggers = [PERFORMED_STEP.trigger()]

    def __str__(self) -> str:
        return self.performed_procedure_step_id


class ReadingItem(ProtectedModel):
    """One line of the reading list: an exam with images, or a study that matched none.

    Kept by steps in the command that changes what it shows, so that the list is one indexed query.
    """

    class State(models.TextChoices):
        """Where reading stands; the report has its own machine."""

        UNREAD = "unread"
        DRAFT = "draft"
        PRELIMINARY = "preliminary"
        DONE = "done"

    requested_procedure = models.OneToOneField(
        RequestedProcedure, null=True, on_delete=models.PROTECT, related_name="reading_item"
    )
    study = models.ForeignKey(
        Study, null=True, on_delete=models.PROTECT, related_name="reading_items"
    )
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=16, choices=State.choices, default=State.UNREAD)
    priority = models.CharField(max_length=8, default="routine")
    priority_rank = models.PositiveSmallIntegerField(
        default=2, help_text="0 stat, 1 urgent, 2 routine"
    )
    due_at = models.DateTimeField()
    modality = models.CharField(max_length=16)
    body_part = models.CharField(max_length=16, blank=True)
    description = models.CharField(max_length=200)
    requesting_service = models.CharField(max_length=64, blank=True)
    since = models.DateTimeField(help_text="when it became readable")
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="claims"
    )
    claimed_at = models.DateTimeField(null=True)
    claim_seen_at = models.DateTimeField(null=True, help_text="heartbeat of the open study")
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="whose it is: handed to, or the author of the draft",
    )
    handed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["study"],
                condition=models.Q(requested_procedure=None),
                name="reading_unmatched_once",
            ),
            models.CheckConstraint(
                name="reading_item_is_about_something",
                condition=~models.Q(requested_procedure=None, study=None),
            ),
        ]
        indexes = [
            models.Index(
                fields=["priority_rank", "due_at", "id"],
                condition=~models.Q(state="done"),
                name="reading_open",
            ),
            models.Index(
                fields=["site", "priority_rank", "due_at", "id"],
                condition=~models.Q(state="done"),
                name="reading_open_by_site",
            ),
            models.Index(
                fields=["modality", "body_part", "priority_rank", "due_at", "id"],
                condition=~models.Q(state="done"),
                name="reading_open_by_modality",
            ),
        ]

    def __str__(self) -> str:
        return self.description


class ReadingFilter(models.Model):
    """A reader's own list: a name for a set of filters, shown as a tab."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reading_filters"
    )
    name = models.CharField(max_length=40)
    filters = models.JSONField(help_text="as `apps.worklists.reading.domain.ReadingFilters`")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="reading_filter_once")]

    def __str__(self) -> str:
        return self.name


class WorklistAttention(AttentionItem):
    """Worklists' own breaks: `mpps-unscheduled`, `mpps-no-images`."""

    performed_step = models.ForeignKey(
        PerformedStep, null=True, on_delete=models.PROTECT, related_name="attention"
    )
