import pgtrigger
from django.conf import settings
from django.db import models

from apps.accounts.models import ProtectedModel
from apps.orders.models import Procedure, RequestedProcedure
from apps.patients.models import Patient
from apps.reports.domain import REPORT
from apps.studies.models import Study


class ReportTemplate(models.Model):
    """Text to begin with, picked by procedure, else by modality and body part."""

    name = models.CharField(max_length=100, unique=True)
    procedure = models.ForeignKey(
        Procedure, null=True, blank=True, on_delete=models.CASCADE, related_name="templates"
    )
    modality = models.CharField(max_length=16, blank=True)
    body_part = models.CharField(max_length=16, blank=True)
    sections = models.JSONField(help_text="[{key, title, text}]")

    def __str__(self) -> str:
        return self.name


class DraftKind(models.TextChoices):
    """What the text being written will become."""

    REPORT = "report"
    ADDENDUM = "addendum"
    CORRECTION = "correction"


class Report(ProtectedModel):
    """A report of one or more requested procedures. What was released stands in its versions."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="reports")
    requested_procedures = models.ManyToManyField(RequestedProcedure, related_name="reports")
    studies = models.ManyToManyField(Study, related_name="reports")
    status = models.CharField(max_length=16, choices=REPORT.choices(), default="registered")
    draft_sections = models.JSONField(
        default=list, help_text="[{key, title, text}], as being written"
    )
    draft_kind = models.CharField(
        max_length=16,
        choices=DraftKind.choices,
        default=DraftKind.REPORT,
        blank=True,
        help_text="what is being written; empty where all was released",
    )
    draft_revision = models.PositiveIntegerField(default=0)
    draft_saved_at = models.DateTimeField(null=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [REPORT.constraint()]
        triggers = [REPORT.trigger()]

    def __str__(self) -> str:
        return f"report {self.pk} {self.status}"


class ReportVersion(models.Model):
    """What was released, as it was released: the database lets nobody change it.

    `digest` covers the content and the digest of the version before.
    """

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=16)
    sections = models.JSONField()
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    signed_by_display = models.CharField(max_length=200)
    signed_at = models.DateTimeField()
    reason = models.CharField(max_length=300, blank=True, help_text="of a correction or addendum")
    previous_digest = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["report", "number"], name="report_version_once")
        ]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return f"{self.report_id} v{self.number} {self.status}"


class KeptText(models.Model):
    """A draft that could not be saved over another one: kept whole until its writer decides."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="kept_texts")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    base_revision = models.PositiveIntegerField()
    page = models.CharField(max_length=36, blank=True, help_text="which of its writer's open pages")
    sections = models.JSONField()
    kept_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["report", "author", "page"],
                condition=models.Q(settled_at=None),
                name="kept_text_once",
            )
        ]

    def __str__(self) -> str:
        return f"report {self.report_id}, text of {self.kept_at:%F %T}"


class ReportMacro(models.Model):
    """A text behind a shortcut (`.nl`), of one reader or of all."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="report_macros",
        help_text="empty: everybody's",
    )
    shortcut = models.CharField(max_length=16, help_text="without its dot")
    title = models.CharField(max_length=64)
    text = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "shortcut"], nulls_distinct=False, name="report_macro_once"
            )
        ]

    def __str__(self) -> str:
        return f".{self.shortcut}"
