"""The hot path writes what the general path writes, and leaves to it what it must."""

import dataclasses

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.selectors import actor_for_ae
from apps.archive.models import Location, StoredObject
from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.models import OutboxEvent
from apps.core.uids import new_uid
from apps.studies.models import Instance, Series, Study
from apps.studies.services import InstanceStatus, instances_record, instances_record_from
from tests.factories.dicom import as_file, ct_slice, stage

pytestmark = pytest.mark.django_db(transaction=True)
LEFT_OUT = {"id", "digest", "key", "stored_object", "sop_instance_uid", "instance_number"}


@pytest.fixture
def modality(settings):
    settings.ISOCENTER_OPEN_AE = True
    return actor_for_ae("CT_1", "127.0.0.1", new_uid()).actor


def test_the_second_batch_is_one_statement_and_the_same_rows(modality):
    study, series, at = new_uid(), new_uid(), clock.now()
    for number in (1, 2):
        ds = ct_slice(study=study, series=series, number=number)
        ds.SOPInstanceUID, ds.FrameOfReferenceUID = f"{study}.{number}", study  # of one length
        staged = stage(as_file(ds))
        with CaptureQueriesContext(connection) as queries:
            [result] = instances_record(actor=modality, batch=[staged], at=at, door="dimse")
        assert result.status is InstanceStatus.STORED
    assert len([q for q in queries if "INSERT" in q["sql"] or "UPDATE" in q["sql"]]) == 1
    for model in (StoredObject, Location, Instance):
        first, second = (
            {k: v for k, v in row.items() if k.removesuffix("_id") not in LEFT_OUT}
            for row in model.objects.order_by("pk").values()
        )
        assert first == second
    assert Study.objects.get().number_of_instances == 2
    assert Series.objects.get().number_of_instances == 2
    assert OutboxEvent.objects.filter(name="studies.study.received").count() == 1


def test_each_association_in_one_commit_has_its_own_audit_event(modality):
    other = dataclasses.replace(modality, association=new_uid())
    study, series = new_uid(), new_uid()
    batch = [
        (actor, stage(as_file(ct_slice(study=study, series=series, number=number))))
        for number, actor in enumerate((modality, other, modality), 1)
    ]
    results = instances_record_from(batch=batch, at=clock.now(), door="dimse")
    assert {result.status for result in results} == {InstanceStatus.STORED}
    assert AuditEvent.objects.filter(study_instance_uid=study, fold_key__isnull=False).count() == 2
    assert Study.objects.get().number_of_instances == 3
