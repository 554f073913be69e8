from django.db import models

from apps.accounts.models import ApplicationEntity
from apps.dimse.domain import ENDS, End, Question


class AssociationRecord(models.Model):
    """The black box: one association that a peer opened, written when it ended.

    Holds nothing of a patient: who called, what was negotiated, how often what was answered how.
    """

    association = models.UUIDField(unique=True)
    started_at = models.DateTimeField()
    seconds = models.FloatField(help_text="from the connection to its end")
    address = models.CharField(max_length=64)
    calling_ae = models.CharField(max_length=16, blank=True)
    called_ae = models.CharField(max_length=16, blank=True)
    actor = models.CharField(max_length=100, blank=True)
    implementation = models.CharField(max_length=64, blank=True)
    contexts = models.JSONField(
        default=list, help_text="[id, abstract syntax, [transfer syntaxes], result, accepted]"
    )
    messages = models.JSONField(default=dict, help_text="{'C-STORE 0000H': 12}")
    bytes_in = models.BigIntegerField(default=0)
    bytes_out = models.BigIntegerField(default=0)
    end = models.CharField(max_length=16, choices=[(e.value, ENDS[e]) for e in End])
    rejection = models.CharField(
        max_length=16, blank=True, help_text="source.reason, PS3.8 9.3.4, or a TlsFault"
    )
    tls = models.JSONField(
        default=dict, help_text="protocol, and the certificate it showed; empty at the plain port"
    )
    words = models.CharField(max_length=300, help_text="how it ended, as the log says it")
    in_message = models.BooleanField(default=False, help_text="ended within a message")
    failed = models.BooleanField(default=False, help_text="a person may want to look at it")

    class Meta:
        indexes = [
            models.Index(fields=["-started_at", "-id"], name="association_by_time"),
            models.Index(fields=["calling_ae", "-started_at"], name="association_by_ae"),
            models.Index(
                fields=["-started_at"],
                condition=models.Q(failed=True),
                name="association_failed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.calling_ae or self.address}: {self.end}"


class NodeTest(models.Model):
    """A question put to a node on an administrator's behalf, and what came of it.

    Holds nothing of a patient: matches are counted.
    """

    entity = models.ForeignKey(ApplicationEntity, on_delete=models.CASCADE, related_name="tests")
    question = models.CharField(max_length=16, choices=[(q.value, q.value) for q in Question])
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=100)
    ended_at = models.DateTimeField(null=True)
    cause = models.CharField(max_length=16, blank=True, help_text="of a failure; empty: all well")
    code = models.CharField(max_length=16, blank=True)
    said = models.CharField(max_length=300, blank=True)
    facts = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["entity", "-id"], name="node_test_by_node")]

    def __str__(self) -> str:
        return f"{self.question} to {self.entity_id}: {self.cause or self.ended_at}"


class PortProbe(models.Model):
    """Connections that sent nothing, counted by address and minute: monitors and scanners."""

    address = models.CharField(max_length=64)
    minute = models.DateTimeField()
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["address", "minute"], name="port_probe_once_a_minute")
        ]

    def __str__(self) -> str:
        return f"{self.count} from {self.address}"
