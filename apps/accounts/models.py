from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.accounts.domain import Confidentiality, Role, Verb

MAIN_SITE = "MAIN"


def all_verbs() -> list[str]:
    """Return every verb: what an AE may do when nothing narrower is said."""
    return [verb.value for verb in Verb]


class Site(models.Model):
    """A place with its own scanners, numbers and clock. `MAIN` always exists."""

    code = models.CharField(max_length=16, unique=True)
    name = models.CharField(max_length=100)
    timezone = models.CharField(max_length=64, default="UTC", help_text="IANA name")
    issuer_of_patient_id = models.CharField(max_length=64)
    issuer_of_accession_number = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.code


class Practice(models.Model):
    """A group of referrers who look after one another's patients."""

    name = models.CharField(max_length=100, unique=True)
    phone = models.CharField(max_length=40, blank=True)

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A person who signs in."""

    roles = ArrayField(
        models.CharField(max_length=16, choices=[(r.value, r.value) for r in Role]), default=list
    )
    sites = models.ManyToManyField(Site, related_name="users", blank=True)
    home_site = models.ForeignKey(
        Site, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    practice = models.ForeignKey(
        Practice, null=True, blank=True, on_delete=models.PROTECT, related_name="members"
    )
    title = models.CharField(max_length=20, blank=True, help_text="Dr, Prof")
    provider_id = models.CharField(
        max_length=64, blank=True, help_text="XCN.1 under which orders name this person"
    )
    preferences = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider_id"], condition=~models.Q(provider_id=""), name="provider_id_once"
            )
        ]

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.last_name, self.first_name))) or self.username


class ApiToken(models.Model):
    """A bearer token; only its digest is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    digest = models.CharField(max_length=64, unique=True)
    label = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.user} {self.label}"


class ApplicationEntity(models.Model):
    """A DICOM peer: who it is, where it listens, and what it may ask."""

    ae_title = models.CharField(max_length=16, unique=True)
    host = models.CharField(max_length=255)
    port = models.PositiveIntegerField()
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="application_entities")
    verbs = ArrayField(models.CharField(max_length=16), default=all_verbs)
    description = models.CharField(max_length=200, blank=True)
    active = models.BooleanField(default=True)
    calls_over_tls = models.BooleanField(default=False, help_text="refused at the plain port")
    called_over_tls = models.BooleanField(default=False, help_text="we call it over TLS")
    certificate = models.CharField(
        max_length=300,
        blank=True,
        help_text="subject or SHA-256 fingerprint that it must show over TLS, either way",
    )

    def __str__(self) -> str:
        return f"{self.ae_title} at {self.host}:{self.port}"


class Hl7Peer(models.Model):
    """An HL7 v2 peer, told by MSH-3 and MSH-4; an empty one of the two matches any."""

    name = models.CharField(max_length=64, unique=True)
    app = models.CharField(max_length=180, blank=True, help_text="MSH-3 it sends")
    facility = models.CharField(max_length=180, blank=True, help_text="MSH-4 it sends")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="hl7_peers")
    issuer = models.CharField(
        max_length=64, blank=True, help_text="issuer of its patient IDs where PID-3.4 is empty"
    )
    accession_field = models.CharField(
        max_length=8, blank=True, help_text="where its accession is if not in OBR-18, such as ORC-3"
    )
    charset = models.CharField(max_length=40, blank=True, help_text="where MSH-18 is empty")
    send_host = models.CharField(max_length=255, blank=True)
    send_port = models.PositiveIntegerField(null=True, blank=True)
    events = ArrayField(
        models.CharField(max_length=16), default=list, blank=True, help_text="oru, status"
    )
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["app", "facility"],
                condition=~models.Q(app="", facility=""),
                name="hl7_peer_sender_once",
            )
        ]

    def __str__(self) -> str:
        return self.name


class AccessGrant(models.Model):
    """A reason why somebody may see one patient or one exam.

    Keys are plain numbers: the apps that own patients and exams lie above this one.
    """

    grantee = models.CharField(max_length=40, help_text="user:12 or practice:3")
    patient_key = models.BigIntegerField(null=True)
    exam_key = models.BigIntegerField(null=True, help_text="primary key of a RequestedProcedure")
    reason = models.CharField(max_length=100)
    granted_at = models.DateTimeField()
    granted_by = models.CharField(max_length=100)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="grant_names_one_thing",
                condition=models.Q(patient_key=None) ^ models.Q(exam_key=None),
            ),
            models.UniqueConstraint(
                fields=["grantee", "exam_key", "patient_key", "reason"],
                nulls_distinct=False,
                condition=models.Q(revoked_at=None),
                name="grant_once",
            ),
        ]
        indexes = [
            models.Index(fields=["exam_key"], name="grant_by_exam"),
            models.Index(fields=["patient_key"], name="grant_by_patient"),
        ]

    def __str__(self) -> str:
        return f"{self.grantee}: patient {self.patient_key} exam {self.exam_key}"


class ProtectedModel(models.Model):
    """What every row that the policy protects carries."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    confidentiality = models.CharField(
        max_length=1,
        choices=[(c.value, c.value) for c in Confidentiality],
        default=Confidentiality.NORMAL.value,
    )

    class Meta:
        abstract = True


class AttentionItem(models.Model):
    """Something broke in the chain and waits for a person. Each app has its own kinds.

    A row is opened by the command whose rule it broke and closed by the command that mends it.
    """

    kind = models.CharField(max_length=40)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=200, help_text="what it is about; one open item per kind")
    summary = models.CharField(max_length=300)
    details = models.JSONField(default=dict)
    opened_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=200, blank=True)
    resolution = models.CharField(max_length=300, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=models.Q(resolved_at=None),
                name="%(app_label)s_%(class)s_one_open",
            )
        ]
        indexes = [
            models.Index(
                fields=["site", "opened_at"],
                condition=models.Q(resolved_at=None),
                name="%(app_label)s_attention",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.summary}"

    @property
    def address(self) -> str:
        """Its app and its number, `orders-12`: how pages and the audit name it."""
        return f"{self._meta.app_label}-{self.pk}"
