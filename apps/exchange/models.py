from django.db import models

from apps.accounts.models import AttentionItem, Hl7Peer, Site
from apps.exchange.domain import COMMITMENT, CommitmentState


class Delivery(models.Model):
    """One message to one peer, with every try: the ledger of what left the house."""

    class Status(models.TextChoices):
        """Where it stands."""

        QUEUED = "queued"
        DONE = "done"
        DEAD = "dead"

    kind = models.CharField(max_length=16, help_text="oru, status")
    reference = models.CharField(max_length=100, help_text="plain key, such as report-version:12")
    ordering_key = models.CharField(max_length=100, help_text="sent in order of id within it")
    peer = models.ForeignKey(Hl7Peer, on_delete=models.PROTECT, related_name="deliveries")
    control_id = models.CharField(max_length=20, unique=True, help_text="MSH-10")
    payload = models.TextField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    last_error = models.CharField(max_length=500, blank=True)
    acknowledgement = models.TextField(blank=True)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "reference", "peer"], name="delivery_once")
        ]
        indexes = [
            models.Index(
                fields=["peer", "ordering_key", "id"],
                condition=models.Q(status="queued"),
                name="delivery_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference} to {self.peer}: {self.status}"


class StorageCommitment(models.Model):
    """A peer's question whether instances are safe here, and our answer on its way to the peer.

    The row is the ledger: what was asked, what the check found, every try to say it.
    """

    transaction_uid = models.CharField(max_length=64, help_text="(0008,1195), the peer's")
    ae_title = models.CharField(max_length=16, help_text="who asked")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    association = models.CharField(max_length=36, help_text="in which it was asked")
    references = models.JSONField(help_text="[SOP class, SOP instance] of each")
    failures = models.JSONField(default=list, help_text="[SOP class, SOP instance, (0008,1197)]")
    state = models.CharField(
        max_length=16, choices=COMMITMENT.choices(), default=CommitmentState.REQUESTED.value
    )
    requested_at = models.DateTimeField()
    checked_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    give_up_at = models.DateTimeField()
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ae_title", "transaction_uid"], name="commitment_transaction_once"
            ),
            COMMITMENT.constraint(),
        ]
        indexes = [
            models.Index(
                fields=["due_at", "id"],
                condition=models.Q(state__in=["REQUESTED", "CHECKED"]),
                name="commitment_waiting",
            ),
            models.Index(fields=["ae_title", "-id"], name="commitment_by_ae"),
        ]
        triggers = [COMMITMENT.trigger()]

    def __str__(self) -> str:
        return f"{self.transaction_uid} of {self.ae_title}: {self.state}"

    @property
    def committed(self) -> int:
        """How many of the instances asked about are safe, by the last check."""
        return len(self.references) - len(self.failures) if self.checked_at else 0


class ExchangeAttention(AttentionItem):
    """Exchange's own breaks: `delivery-dead`, `peer-unreachable`, `commitment-undelivered`."""

    delivery = models.ForeignKey(
        Delivery, null=True, on_delete=models.PROTECT, related_name="attention"
    )
    commitment = models.ForeignKey(
        StorageCommitment, null=True, on_delete=models.PROTECT, related_name="attention"
    )
