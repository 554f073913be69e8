from django.conf import settings
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Upper

from apps.accounts.models import AttentionItem, Hl7Peer, ProtectedModel, Site
from apps.orders.domain import ORDER, Priority
from apps.patients.models import Patient


class Procedure(models.Model):
    """What can be ordered: one line of the catalogue."""

    code = models.CharField(max_length=16)
    coding_scheme = models.CharField(max_length=16, default="L", help_text="(0008,0102)")
    meaning = models.CharField(max_length=64, help_text="(0008,0104)")
    loinc = models.CharField(max_length=10, blank=True)
    modality = models.CharField(max_length=16, help_text="(0008,0060)")
    body_part = models.CharField(max_length=16, blank=True, help_text="(0018,0015)")
    duration_minutes = models.PositiveIntegerField()
    preparation = models.TextField(blank=True)
    needs_vetting = models.BooleanField(default=False)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["coding_scheme", "code"], name="procedure_code_once")
        ]

    def __str__(self) -> str:
        return f"{self.modality} {self.meaning}"


class ProcedureMapping(models.Model):
    """What a peer calls one of our procedures."""

    peer = models.ForeignKey(Hl7Peer, on_delete=models.CASCADE, related_name="procedure_mappings")
    code = models.CharField(max_length=64)
    procedure = models.ForeignKey(Procedure, on_delete=models.CASCADE, related_name="mappings")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["peer", "code"], name="procedure_mapping_once")
        ]

    def __str__(self) -> str:
        return f"{self.code} is {self.procedure}"


class Order(ProtectedModel):
    """An imaging service request (PS3.3 C.4.12): one accession number, one or more procedures."""

    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="orders")
    accession_number = models.CharField(max_length=16)
    issuer_of_accession_number = models.CharField(max_length=64)
    placer_order_number = models.CharField(max_length=64, blank=True)
    placer_issuer = models.CharField(
        max_length=180, blank=True, help_text="who issued the placer number"
    )
    status = models.CharField(max_length=2, choices=ORDER.choices(), default="RE")
    priority = models.CharField(
        max_length=8, choices=[(p.value, p.value) for p in Priority], default=Priority.ROUTINE.value
    )
    reason = models.CharField(max_length=500, blank=True, help_text="indication in words")
    reason_code = models.CharField(max_length=64, blank=True)
    reason_coding_scheme = models.CharField(max_length=16, blank=True)
    clinical_info = models.TextField(blank=True)
    requesting_service = models.CharField(max_length=64, blank=True, help_text="ward or clinic")
    referrer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    referring_physician_name = models.CharField(max_length=324, blank=True)
    ordered_at = models.DateTimeField()
    requested_at = models.DateTimeField(null=True, blank=True, help_text="when it is wanted")
    cancel_reason = models.CharField(max_length=300, blank=True)
    source = models.CharField(max_length=20, default="page", help_text="page, hl7, worklist")

    class Meta:
        constraints = [
            ORDER.constraint(),
            models.UniqueConstraint(
                fields=["issuer_of_accession_number", "accession_number"], name="accession_once"
            ),
            models.UniqueConstraint(
                fields=["placer_issuer", "placer_order_number"],
                condition=~models.Q(placer_order_number=""),
                name="placer_order_once",
            ),
        ]
        indexes = [
            models.Index(fields=["site", "status", "ordered_at"], name="order_by_status"),
            models.Index(fields=["accession_number"], name="order_by_accession"),
            models.Index(
                OpClass(Upper("accession_number"), "text_pattern_ops"),
                name="order_by_accession_begin",
            ),
        ]
        triggers = [ORDER.trigger()]

    def __str__(self) -> str:
        return self.accession_number


class RequestedProcedure(models.Model):
    """One exam of an order (PS3.3 C.4.11). It issues the Study Instance UID of the worklist."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="requested_procedures")
    number = models.PositiveSmallIntegerField(default=1)
    procedure = models.ForeignKey(
        Procedure, null=True, blank=True, on_delete=models.PROTECT, help_text="empty: code unknown"
    )
    code = models.CharField(max_length=64, help_text="as received")
    coding_scheme = models.CharField(max_length=64, blank=True)
    description = models.CharField(max_length=200)
    modality = models.CharField(max_length=16, blank=True)
    body_part = models.CharField(max_length=16, blank=True)
    laterality = models.CharField(max_length=1, blank=True, help_text="(0020,0060) L or R")
    requested_procedure_id = models.CharField(max_length=16, unique=True)
    study_instance_uid = models.CharField(max_length=64, unique=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "number"], name="requested_procedure_once")
        ]

    def __str__(self) -> str:
        return self.description


class AccessionSequence(models.Model):
    """The last accession number issued by a site; never goes back."""

    site = models.OneToOneField(Site, on_delete=models.PROTECT, primary_key=True)
    last = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.site}: {self.last}"


class OrderAttention(AttentionItem):
    """Orders' own breaks: `unknown-procedure`."""

    order = models.ForeignKey(Order, null=True, on_delete=models.PROTECT, related_name="attention")
