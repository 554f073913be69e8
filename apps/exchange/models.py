from django.db import models

from apps.accounts.models import AttentionItem, Hl7Peer


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


class ExchangeAttention(AttentionItem):
    """Exchange's own breaks: `delivery-dead`."""

    delivery = models.ForeignKey(
        Delivery, null=True, on_delete=models.PROTECT, related_name="attention"
    )
