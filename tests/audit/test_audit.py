"""The audit trail: complete, folded, append-only, chained."""

import datetime

import pytest
from django.db import ProgrammingError, connection, transaction

from apps.audit import registry, steps
from apps.audit.models import Action, AuditEvent, AuditSeal
from apps.audit.services import SETTLED, audit_seal, audit_verify
from apps.core import clock
from apps.core.actors import Actor, ActorKind

ACTOR = Actor(kind=ActorKind.USER, key="user:7", display="Falk, Ines", address="127.0.0.1")
registry.register("audit.test.read", Action.READ, "Read for a test")


def read(study: str = "1.2", **more) -> None:
    steps.record_read(actor=ACTOR, event="audit.test.read", door="page", study=study, **more)


def settle(monkeypatch) -> None:
    """Let the sealer believe that the events have settled."""
    later = clock.now() + SETTLED + datetime.timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)


@pytest.mark.django_db(transaction=True)
def test_the_same_read_within_a_minute_is_one_event(monkeypatch):
    at = clock.now().replace(second=1)
    monkeypatch.setattr(clock, "now", lambda: at)
    for _ in range(3):
        read()
    read(study="1.3")
    assert AuditEvent.objects.count() == 2
    monkeypatch.setattr(clock, "now", lambda: at + datetime.timedelta(minutes=1))
    read()
    assert AuditEvent.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_repeat_in_the_fold_costs_no_query(django_assert_num_queries, monkeypatch):
    at = clock.now()
    monkeypatch.setattr(clock, "now", lambda: at)
    read(study="1.4")
    with django_assert_num_queries(0):
        read(study="1.4")


@pytest.mark.django_db(transaction=True)
def test_what_a_rollback_took_away_is_written_again(monkeypatch):
    at = clock.now()
    monkeypatch.setattr(clock, "now", lambda: at)
    with pytest.raises(KeyError), transaction.atomic():
        read(study="1.5")
        raise KeyError
    read(study="1.5")
    assert AuditEvent.objects.filter(study_instance_uid="1.5").count() == 1


@pytest.mark.django_db
def test_a_commands_event_needs_its_transaction_and_a_declared_name():
    with pytest.raises(LookupError, match="declared"):
        steps.record(actor=ACTOR, event="audit.test.nonsense", door="page")


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["update", "delete"])
def test_the_database_lets_nobody_change_an_event(change):
    read(study="1.6")
    rows = AuditEvent.objects.all()
    with pytest.raises(ProgrammingError), transaction.atomic():
        rows.update(actor_display="Nobody") if change == "update" else rows.delete()


@pytest.mark.django_db(transaction=True)
def test_the_chain_holds_and_shows_where_somebody_tampered(monkeypatch):
    for n in range(5):
        read(study=f"2.{n}")
    settle(monkeypatch)
    assert audit_seal() == 5
    read(study="2.9")
    settle(monkeypatch)
    assert audit_seal() == 1
    assert audit_seal() == 0
    assert audit_verify().broken == ""
    assert (audit_verify().seals, audit_verify().events) == (2, 6)
    with connection.cursor() as cursor:  # as the tables' owner could
        cursor.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER ALL")
        cursor.execute(
            "UPDATE audit_auditevent SET actor_display = 'X' WHERE study_instance_uid = '2.3'"
        )
        cursor.execute("ALTER TABLE audit_auditevent ENABLE TRIGGER ALL")
    assert "content differs" in audit_verify().broken
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditseal DISABLE TRIGGER ALL")
        cursor.execute(
            "DELETE FROM audit_auditseal WHERE first_id = %s",
            [AuditSeal.objects.order_by("first_id")[0].first_id],
        )
        cursor.execute("ALTER TABLE audit_auditseal ENABLE TRIGGER ALL")
    assert "link" in audit_verify().broken


@pytest.mark.django_db(transaction=True)
def test_what_has_not_settled_is_not_sealed():
    read(study="3.1")
    assert audit_seal() == 0
    assert AuditEvent.objects.count() == 1


def test_every_declared_event_has_words():
    for event in registry.event_types().values():
        assert event.words.strip()
        assert event.name.count(".") >= 1
