"""One ingest for all doors: exact, idempotent, matched."""

import datetime
from pathlib import Path

import pydicom
import pytest
from pydicom import dcmread
from pydicom.misc import is_dicom

from apps.accounts.models import ApplicationEntity, Site
from apps.accounts.selectors import actor_for_ae
from apps.archive.incoming import IncomingObject
from apps.archive.models import Location
from apps.archive.storage import write_storage
from apps.core import clock
from apps.core.actors import Actor
from apps.core.models import OutboxEvent
from apps.core.uids import new_uid
from apps.orders.models import Order, RequestedProcedure
from apps.patients.models import Patient, PatientIdentifier
from apps.studies.models import Instance, InstanceVersion, Series, Study, StudyAttention
from apps.studies.services import InstanceStatus, instances_record, order_match_waiting
from tests.factories.dicom import as_file, ct_slice, dataset_bytes, stage

pytestmark = pytest.mark.django_db
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


@pytest.fixture
def modality(settings) -> Actor:
    settings.ISOCENTER_OPEN_AE = True
    return actor_for_ae("CT_1", "127.0.0.1").actor


def record(actor: Actor, *files: bytes | Path):
    return instances_record(
        actor=actor, batch=[stage(file) for file in files], at=clock.now(), door="dimse"
    )


def ordered(patient: Patient, *, accession: str = "A100", **fields: object) -> RequestedProcedure:
    site = Site.objects.get(code="MAIN")
    order = Order.objects.create(
        site=site,
        patient=patient,
        accession_number=accession,
        issuer_of_accession_number=site.issuer_of_accession_number,
        ordered_at=clock.now(),
    )
    return RequestedProcedure.objects.create(
        order=order,
        code="CTCH",
        description="CT chest",
        modality="CT",
        requested_procedure_id=f"R{order.pk}",
        study_instance_uid=new_uid(),
        **fields,
    )


def registered(value: str = "P1", issuer: str = "HIS", name: str = "Marlowe^June") -> Patient:
    patient = Patient.objects.create(
        site=Site.objects.get(code="MAIN"),
        name_alphabetic=name,
        name_search=name.lower(),
        birth_date=datetime.date(1967, 11, 4),
        sex="F",
        created_at=clock.now(),
        updated_at=clock.now(),
    )
    PatientIdentifier.objects.create(patient=patient, value=value, issuer=issuer, primary=True)
    return patient


def test_what_was_sent_is_kept_byte_for_byte_and_indexed(modality):
    sent = as_file(ct_slice(number=7))
    [result] = record(modality, sent)
    assert result.status is InstanceStatus.STORED
    instance = Instance.objects.select_related("stored_object", "series__study__patient").get()
    location = Location.objects.get()
    kept = write_storage().read(location.key)
    assert kept[instance.stored_object.dataset_offset :] == dataset_bytes(sent)
    assert dcmread(pydicom.filebase.DicomBytesIO(kept)).file_meta.TransferSyntaxUID.is_little_endian
    study = instance.series.study
    assert (study.number_of_series, study.number_of_instances) == (1, 1)
    assert study.modalities_in_study == ["CT"]
    assert (instance.rows, instance.instance_number) == (16, "7")
    native = write_storage().read(location.key, instance.pixel_offset, instance.pixel_length)
    assert native == ct_slice(number=7).PixelData
    assert study.patient.name_alphabetic == "Marlowe^June"
    names = list(OutboxEvent.objects.values_list("name", flat=True))
    assert names.count("studies.study.received") == 1


def test_the_same_again_is_no_second_copy(modality):
    sent = as_file(ct_slice())
    record(modality, sent)
    [again] = record(modality, sent)
    assert again.status is InstanceStatus.ALREADY_HERE
    assert Instance.objects.count() == Location.objects.count() == 1
    assert not Path(write_storage().local_path(again.staged.key)).exists()


def test_recording_the_very_same_file_again_keeps_it(modality):
    staged = stage(as_file(ct_slice()))
    for expected in (InstanceStatus.STORED, InstanceStatus.ALREADY_HERE):
        (result,) = instances_record(actor=modality, batch=[staged], at=clock.now(), door="dimse")
        assert result.status is expected
    location = Location.objects.get()
    assert location.key == staged.key
    assert write_storage().read(location.key)


def test_twice_in_one_batch_is_one(modality):
    sent = as_file(ct_slice())
    results = record(modality, sent, sent)
    assert [r.status for r in results] == [InstanceStatus.STORED, InstanceStatus.ALREADY_HERE]
    assert Instance.objects.count() == Location.objects.count() == 1


def test_another_data_set_under_the_same_uid_is_kept_as_a_version(modality):
    ds = ct_slice()
    record(modality, as_file(ds))
    first = Instance.objects.get().stored_object.digest
    ds.PatientComments = "changed"
    [result] = record(modality, as_file(ds))
    [repeated] = record(modality, as_file(ds))
    assert result.status is repeated.status is InstanceStatus.OTHER_VERSION
    assert Instance.objects.get().stored_object.digest == first
    assert InstanceVersion.objects.count() == 1
    assert StudyAttention.objects.filter(kind="other-version", resolved_at=None).count() == 1


def test_counts_over_several_batches_and_series(modality):
    study = new_uid()
    one, two = new_uid(), new_uid()
    record(modality, *(as_file(ct_slice(study=study, series=one, number=n)) for n in (1, 2, 3)))
    record(modality, as_file(ct_slice(study=study, series=two, Modality="SR")))
    found = Study.objects.get()
    assert (found.number_of_series, found.number_of_instances) == (2, 4)
    assert found.modalities_in_study == ["CT", "SR"]
    assert sorted(Series.objects.values_list("number_of_instances", flat=True)) == [1, 3]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("truncate", "studies.truncated"),
        ("garble", "studies.cannot-understand"),
        ("no-study", "studies.missing-uid"),
    ],
)
def test_what_could_never_be_served_is_refused_and_leaves_nothing(modality, change, code):
    ds = ct_slice()
    if change == "no-study":
        ds.StudyInstanceUID = ""
    sent = as_file(ds)
    if change == "truncate":
        sent = sent[:-10]
    if change == "garble":
        offset = len(sent) - len(dataset_bytes(sent))
        sent = sent[:offset] + b"not a data set at all" * 20
    staged = stage(sent) if change != "garble" else _stage_raw(ds, dataset_bytes(sent))
    [result] = instances_record(actor=modality, batch=[staged], at=clock.now(), door="dimse")
    assert result.status is InstanceStatus.REFUSED
    assert result.error.code == code
    assert not Study.objects.exists()
    assert not Path(write_storage().local_path(staged.key)).exists()


def _stage_raw(ds, body):
    incoming = IncomingObject(
        sop_class_uid=ds.SOPClassUID,
        sop_instance_uid=ds.SOPInstanceUID,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
    )
    incoming.write(body)
    return incoming.finish()


def test_a_good_object_beside_a_bad_one_is_stored(modality):
    good, bad = as_file(ct_slice()), as_file(ct_slice())[:-3]
    results = record(modality, bad, good)
    assert [r.status for r in results] == [InstanceStatus.REFUSED, InstanceStatus.STORED]


def test_joined_by_the_uid_we_issued_though_the_modality_dropped_the_issuer(modality):
    procedure = ordered(registered())
    record(modality, as_file(ct_slice(study=procedure.study_instance_uid)))
    match = Study.objects.get().matches.get()
    assert (match.requested_procedure, match.reason) == (procedure, "study-instance-uid")
    assert Patient.objects.count() == 1


def test_joined_by_accession_of_the_senders_site(modality):
    procedure = ordered(registered(), accession="A100")
    record(modality, as_file(ct_slice(AccessionNumber="A100")))
    match = Study.objects.get().matches.get()
    assert (match.requested_procedure, match.reason) == (procedure, "accession-number")


def test_a_hit_whose_patient_differs_is_a_conflict_and_no_match(modality):
    procedure = ordered(registered("P2", name="Okonkwo^Adaeze"))
    record(modality, as_file(ct_slice(study=procedure.study_instance_uid)))
    study = Study.objects.get()
    assert not study.matches.exists()
    item = StudyAttention.objects.get(resolved_at=None)
    assert (item.kind, item.details["image_patient_id"]) == ("conflict", "P1")


def test_images_without_an_order_wait_for_it(modality):
    record(modality, as_file(ct_slice(AccessionNumber="A200")))
    study = Study.objects.get()
    assert StudyAttention.objects.get().kind == "unmatched"
    procedure = ordered(study.patient, accession="A200")
    assert order_match_waiting(actor=modality, order_id=procedure.order_id, at=clock.now()) == 1
    assert study.matches.get().requested_procedure == procedure
    assert not StudyAttention.objects.filter(resolved_at=None).exists()


def test_one_number_of_two_sites_is_two_patients(modality, settings):
    other = Site.objects.create(
        code="EAST", name="East", issuer_of_patient_id="EAST", issuer_of_accession_number="EAST"
    )
    ApplicationEntity.objects.create(ae_title="CT_2", host="h", port=1, site=other)
    record(modality, as_file(ct_slice()))
    record(actor_for_ae("CT_2", "127.0.0.1").actor, as_file(ct_slice()))
    assert Patient.objects.count() == 2


def test_every_file_of_pydicom_is_stored_or_refused_with_a_reason(modality):
    for path in sorted(PYDICOM_FILES.glob("*.dcm")):
        if not is_dicom(path) or "TransferSyntaxUID" not in dcmread(path, force=True).file_meta:
            continue  # no listener would stage it: it has no file meta information
        staged = stage(path)
        [result] = instances_record(actor=modality, batch=[staged], at=clock.now(), door="dimse")
        assert (result.error is None) is (result.status is not InstanceStatus.REFUSED), path.name
    assert Instance.objects.count() > 30  # many of them share one SOP Instance UID
