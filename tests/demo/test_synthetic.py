"""The synthetic load: whole, marked, the same by seed, resumable, and refused beside real data."""

import datetime as dt
from collections import Counter

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from apps.accounts.models import AccessGrant
from apps.audit.models import AuditEvent
from apps.core.actors import system_actor
from apps.demo.synthetic.load import OtherSeedError, progress_of_load, synthetic_load
from apps.demo.synthetic.names import FAMILIES, FAMILY_SHARES
from apps.orders.models import Order, RequestedProcedure
from apps.patients.models import Patient, PatientIdentifier
from apps.reports.models import Report
from apps.reports.selectors import chain_verify
from apps.scheduling.models import Appointment, ScheduledStep
from apps.studies.models import Instance, Series, Study, StudyAttention, StudyMatch
from apps.worklists.models import ReadingItem

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
NOON = dt.datetime(2026, 11, 24, 13, 10, tzinfo=dt.UTC)
SMALL = 700


def load(studies=SMALL, **changes):
    return synthetic_load(actor=system_actor("synthetic"), studies=studies, at=NOON, **changes)


def test_what_is_loaded_is_whole_and_says_that_it_is_synthetic():
    load()
    assert Study.objects.count() == SMALL
    assert Series.objects.count() == 3 * SMALL
    assert Instance.objects.count() == 10 * SMALL
    assert set(Study.objects.values_list("availability", "source")) == {
        ("UNAVAILABLE", "synthetic")
    }
    assert set(Instance.objects.values_list("stored_object__tier")) == {("UNAVAILABLE",)}
    assert not Instance.objects.exclude(stored_object__locations=None).exists()
    assert not Order.objects.exclude(accession_number__startswith="SYN").exists()
    assert not PatientIdentifier.objects.exclude(value__startswith="SYN").exists()

    matched = StudyMatch.objects.count()
    loose = Study.objects.filter(matches=None).count()
    assert matched + loose == SMALL
    assert StudyAttention.objects.count() == loose < SMALL / 50
    assert ReadingItem.objects.count() == SMALL
    read = Report.objects.filter(status__in=("final", "appended")).count()
    assert SMALL * 0.3 < read < SMALL
    for report in Report.objects.exclude(status="registered")[:50]:
        assert chain_verify(report).broken is None

    states = Counter(ScheduledStep.objects.values_list("status", flat=True))
    assert states["COMPLETED"] == matched
    assert states["SCHEDULED"] > 2000  # four weeks to come
    assert AccessGrant.objects.count() == 2 * RequestedProcedure.objects.count()
    assert AuditEvent.objects.filter(event="demo.synthetic.loaded").count() == 1


def test_every_foreign_key_leads_somewhere():
    """They are not looked up while loading; here they are, one and all."""
    load()
    with connection.cursor() as cursor:
        connection.check_constraints()
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if field.many_to_one or field.one_to_one:
                    target = field.related_model._meta
                    cursor.execute(
                        f'SELECT count(*) FROM "{model._meta.db_table}" a LEFT JOIN '
                        f'"{target.db_table}" b ON a."{field.column}" = '
                        f'b."{field.target_field.column}" WHERE a."{field.column}" IS NOT NULL '
                        f'AND b."{field.target_field.column}" IS NULL'
                    )
                    assert cursor.fetchone() == (0,), (model, field)


def test_days_have_the_shape_of_a_hospitals():
    load()
    days = Counter(Study.objects.values_list("study_date", flat=True))
    assert days["20261123"] > 600 - days["20261124"]  # the Monday before is cut off by the number
    hours = Counter(t[:2] for t in Study.objects.values_list("study_time", flat=True))
    assert hours["10"] > 5 * hours["03"]
    modalities = Counter(m for (m,) in Study.objects.values_list("modalities_in_study", flat=True))
    assert modalities.keys() == {"CT", "MR", "US", "DX", "MG"}
    assert modalities["DX"] > modalities["CT"] > modalities["MG"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM scheduling_appointment a JOIN scheduling_appointment b"
            " ON a.id < b.id AND a.room_id = b.room_id AND a.period && b.period"
        )
        assert cursor.fetchone() == (0,)
    assert Appointment.objects.filter(room__site__code="MAIN").exists()


def test_names_are_as_frequent_as_in_a_register():
    total = FAMILY_SHARES[-1]
    share = {name: (1 / (rank + 21)) / total for rank, name in enumerate(FAMILIES)}
    assert 0.007 < share["Smith"] < 0.01
    assert share[FAMILIES[999]] < 0.0003
    assert len(FAMILIES) > 5000


def test_the_same_seed_gives_the_same_exams():
    load()
    first = facts()
    call_command("flush", "--no-input", verbosity=0)
    load()
    assert facts() == first


def facts():
    return list(
        Study.objects.order_by("study_instance_uid").values_list(
            "study_instance_uid", "received_patient_id", "received_patient_name", "study_date",
            "study_time", "accession_number", "study_description", "received_patient_birth_date",
        )
    )  # fmt: skip


def test_a_load_goes_on_where_it_ended():
    load()
    before = progress_of_load()
    load()  # nothing left to do
    assert progress_of_load() == before
    load(studies=SMALL + 900)
    assert Study.objects.count() == SMALL + 900
    assert Patient.objects.count() == PatientIdentifier.objects.count()
    days = Study.objects.order_by("pk").values_list("study_date", flat=True)
    assert days.last() < days.first()  # what is added is older
    with pytest.raises(OtherSeedError):
        load(studies=2 * SMALL + 900, seed=7)


def test_a_production_hospital_with_exams_of_its_own_refuses(settings):
    load()
    settings.PRODUCTION = True
    load(studies=SMALL + 1)  # only synthetic exams are here
    Study.objects.filter(pk=Study.objects.first().pk).update(source="CT_1")
    with pytest.raises(CommandError, match="--beside-real-data"):
        call_command("load_synthetic", "--studies", str(SMALL + 10))
    assert Study.objects.count() == SMALL + 1
    call_command("load_synthetic", "--studies", str(SMALL + 10), "--beside-real-data")
    assert Study.objects.count() == SMALL + 10
