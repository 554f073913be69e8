from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models

from apps.accounts.models import ProtectedModel


class Sex(models.TextChoices):
    """(0010,0040)."""

    MALE = "M"
    FEMALE = "F"
    OTHER = "O"
    UNKNOWN = ""


class Patient(ProtectedModel):
    """A person. Names are kept as the three component groups of PN (PS3.5 6.2.1.1).

    `survivor` is set by a merge and cleared by its undo; foreign keys are never rewritten.
    `name_search` is the folded form that queries match (see `apps.patients.domain.fold`).
    """

    survivor = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged"
    )
    name_alphabetic = models.CharField(
        max_length=324, help_text="Family^Given^Middle^Prefix^Suffix"
    )
    name_ideographic = models.CharField(max_length=324, blank=True)
    name_phonetic = models.CharField(max_length=324, blank=True)
    name_search = models.CharField(max_length=1000)
    birth_date = models.DateField(null=True, blank=True)
    sex = models.CharField(max_length=1, choices=Sex.choices, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    address = models.CharField(max_length=300, blank=True)
    version = models.PositiveIntegerField(
        default=1, help_text="rises with every change of identity"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(OpClass("name_search", "text_pattern_ops"), "id", name="patient_by_name"),
            GinIndex(OpClass("name_search", "gin_trgm_ops"), name="patient_by_name_part"),
            models.Index(fields=["birth_date"], name="patient_by_birth_date"),
        ]
        constraints = [
            models.CheckConstraint(
                name="patient_not_own_survivor", condition=~models.Q(survivor=models.F("id"))
            )
        ]

    def __str__(self) -> str:
        return self.name_alphabetic

    @property
    def family_name(self) -> str:
        """First component of the alphabetic name."""
        return self.name_alphabetic.split("^")[0]

    @property
    def given_name(self) -> str:
        """Second component of the alphabetic name."""
        return self.name_alphabetic.partition("^")[2].partition("^")[0]


class PatientIdentifier(models.Model):
    """A number of a patient, with who issued it (CX; PS3.3 C.2-2). Never a bare ID."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="identifiers")
    value = models.CharField(max_length=64)
    issuer = models.CharField(max_length=64)
    type_code = models.CharField(max_length=8, default="MR", help_text="HL7 table 0203")
    primary = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer", "value"], name="patient_identifier_once"),
            models.UniqueConstraint(
                fields=["patient"],
                condition=models.Q(primary=True),
                name="patient_one_primary_identifier",
            ),
        ]
        indexes = [models.Index(fields=["value"], name="patient_identifier_by_value")]

    def __str__(self) -> str:
        return f"{self.value} ({self.issuer})"


class PatientMerge(models.Model):
    """That one patient stands for another, until it is undone. `Patient.survivor` follows it."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="merges")
    into = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300, blank=True)
    merged_at = models.DateTimeField()
    merged_by = models.CharField(max_length=100)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["patient"],
                condition=models.Q(undone_at=None),
                name="patient_merged_once",
            ),
            models.CheckConstraint(
                name="patient_not_merged_into_itself",
                condition=~models.Q(patient=models.F("into")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.patient_id} into {self.into_id}"
