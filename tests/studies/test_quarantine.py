"""Objects with defects: taken and flagged, refused, or held back, as the sender's rule says."""

import datetime
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from apps.accounts.models import ApplicationEntity, Site
from apps.accounts.selectors import actor_for_ae
from apps.archive.models import Location, StoredObject
from apps.archive.storage import write_storage
from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.actors import Actor, ActorKind, system_actor
from apps.core.errors import ConflictError, InvalidInputError, NotFoundError
from apps.core.tasks import relay_once
from apps.studies.domain import IntakeAction
from apps.studies.ingest.rules import forget_rules
from apps.studies.models import Instance, QuarantinedObject, Study, StudyAttention
from apps.studies.quarantine import quarantined_file, quarantined_header
from apps.studies.services import InstanceStatus, instances_record
from apps.studies.services.intake import intake_rule_save
from apps.studies.services.quarantine import (
    KEPT,
    quarantine_discard,
    quarantine_purge,
    quarantine_release,
    quarantine_restore,
)
from tests.factories.dicom import as_file, ct_slice, dataset_bytes, stage

pytestmark = pytest.mark.django_db
ADMIN = system_actor("test")


@pytest.fixture
def modality(settings) -> Actor:
    settings.ISOCENTER_OPEN_AE = True
    return actor_for_ae("CT_1", "127.0.0.1").actor


@pytest.fixture
def rule():
    """Set the rule of a source; forgotten by this process afterwards."""

    def save(action: IntakeAction, source: str = "ae:CT_1", *, probe: bool = False) -> None:
        intake_rule_save(
            actor=ADMIN, source=source, action=action, at=clock.now(), probe_pixels=probe
        )

    forget_rules()
    yield save
    forget_rules()


def person(site: str = "MAIN") -> Actor:
    key = Site.objects.get(code=site).pk
    return Actor(
        kind=ActorKind.USER,
        key="user:1",
        display="Meijer, Bram",
        permissions=frozenset({"study.reconcile"}),
        sites=frozenset({key}),
        home_site=key,
        user_id=1,
    )


def record(actor: Actor, *files: bytes):
    return instances_record(
        actor=actor, batch=[stage(file) for file in files], at=clock.now(), door="dimse"
    )


def defective(**attributes: object) -> bytes:
    """A slice whose pixel data is longer than its rows and columns say."""
    return as_file(ct_slice(**({"Rows": 15} | attributes)))


SOUND = as_file(ct_slice())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Rows": 15}, "pixel-length"),
        ({"NumberOfFrames": 2}, "pixel-length"),
        ({"SamplesPerPixel": None}, "pixel-description"),
        ({"StudyDate": "yesterday"}, "value-form"),
        ({"StudyTime": "2561"}, "value-form"),
        ({"SeriesInstanceUID": "1.2.007.1"}, "uid-form"),
        ({"SpecificCharacterSet": "ISO_IR 999"}, "character-set"),
        ({"Modality": ""}, "modality-missing"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_each_defect_is_found_and_shown_to_a_person_and_the_object_is_taken(modality, change, code):
    [result] = record(modality, as_file(ct_slice(**change)))
    assert result.status is InstanceStatus.STORED
    assert [finding.code for finding in result.findings] == [code]
    item = StudyAttention.objects.get(kind="flagged")
    assert item.details["code"] == code
    assert Instance.objects.count() == 1


def test_native_pixels_under_a_compressed_syntax_are_found(modality):
    file = bytearray(as_file(ct_slice()))
    native, packed = (b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0")
    assert file.count(native) == 1
    [result] = record(modality, bytes(file.replace(native, packed)))
    assert [finding.code for finding in result.findings] == ["encapsulation"]


def test_a_sound_object_has_no_findings(modality):
    [result] = record(modality, as_file(ct_slice(StudyTime="101112.123", StudyDate="1997.07.04")))
    assert result.findings == ()
    assert not StudyAttention.objects.filter(kind="flagged").exists()


def test_a_study_of_many_defective_images_asks_once(modality):
    study = "1.2.3.4"
    record(modality, *(defective(study=study, number=n) for n in range(1, 6)))
    record(modality, defective(study=study, number=9))
    assert StudyAttention.objects.filter(kind="flagged").count() == 1
    assert Instance.objects.count() == 6


def test_a_source_whose_rule_refuses_hears_so_and_nothing_is_kept(modality, rule):
    rule(IntakeAction.REFUSE)
    bad, good = record(modality, defective(), SOUND)
    assert (bad.status, bad.error.code) == (InstanceStatus.REFUSED, "studies.defective")
    assert good.status is InstanceStatus.STORED
    assert not Path(write_storage().local_path(bad.staged.key)).exists()
    assert not QuarantinedObject.objects.exists()
    [event] = AuditEvent.objects.filter(event="studies.instances.refused")
    assert event.details["instances"][0]["code"] == "studies.defective"


def test_a_source_whose_rule_quarantines(modality, rule):
    rule(IntakeAction.QUARANTINE)
    sent = defective()
    held, good = record(modality, sent, SOUND)
    assert (held.status, held.quarantined, held.error) == (InstanceStatus.QUARANTINED, True, None)
    assert good.status is InstanceStatus.STORED
    assert not Instance.objects.filter(sop_instance_uid=held.staged.sop_instance_uid).exists()
    row = QuarantinedObject.objects.get()
    assert (row.source, row.address, row.door) == ("CT_1", "127.0.0.1", "dimse")
    assert (row.patient_name, row.modality, row.state) == ("Marlowe^June", "CT", "held")
    assert [finding["code"] for finding in row.findings] == ["pixel-length"]
    assert "512 bytes, where 1 frame of 15 × 16" in row.findings[0]["detail"]
    kept = b"".join(quarantined_file(row))
    assert dataset_bytes(kept) == dataset_bytes(sent)
    lines = {line.name: line.value for line in quarantined_header(row)}
    assert lines["Patient's Name"] == "Marlowe^June"
    item = StudyAttention.objects.get(kind="quarantined", resolved_at=None)
    assert item.summary == "1 object waits in quarantine, from CT_1"


def test_the_rule_for_everyone_else_yields_to_a_rule_of_ones_own(modality, rule, settings):
    rule(IntakeAction.REFUSE, "*")
    rule(IntakeAction.ACCEPT)
    [mine] = record(modality, defective())
    [other] = record(actor_for_ae("CT_9", "127.0.0.1").actor, defective())
    assert (mine.status, other.status) == (InstanceStatus.STORED, InstanceStatus.REFUSED)


def test_what_cannot_be_read_is_refused_and_kept_once_however_often_it_comes(modality, rule):
    rule(IntakeAction.QUARANTINE)
    whole = as_file(ct_slice())
    for _ in range(3):
        [result] = record(modality, whole[:-10])
        assert (result.status, result.quarantined) == (InstanceStatus.REFUSED, True)
    row = QuarantinedObject.objects.get()
    assert (row.times_sent, row.unservable) == (3, True)
    assert Location.objects.count() == StoredObject.objects.count() == 1
    [release] = quarantine_release(
        actor=person(), keys=[row.pk], reason="it is needed", at=clock.now()
    )
    assert release.error.code == "studies.truncated"
    assert QuarantinedObject.objects.get().state == "held"

    record(modality, whole)
    while relay_once():
        pass
    assert QuarantinedObject.objects.get().state == "replaced"
    assert not StudyAttention.objects.filter(kind="quarantined", resolved_at=None).exists()


def test_pixels_that_cannot_be_decoded_are_found_where_the_rule_asks(modality, rule):
    ds = ct_slice(PixelData=encapsulate([b"\xff\x4f\xff\x51 no codestream" + bytes(64)]))
    ds["PixelData"].is_undefined_length = True
    sent = as_file(ds, JPEG2000Lossless)
    [taken] = record(modality, sent)
    assert taken.findings == ()
    rule(IntakeAction.QUARANTINE, probe=True)
    ds.SOPInstanceUID = "1.2.3.9"
    [held] = record(modality, as_file(ds, JPEG2000Lossless))
    assert [finding.code for finding in held.findings] == ["pixels-undecodable"]
    [good] = record(modality, as_file(ct_slice(), ExplicitVRLittleEndian))
    assert good.status is InstanceStatus.STORED


def test_released_as_it_came_under_its_senders_name_and_site(modality, rule, settings):
    east = Site.objects.create(
        code="EAST", name="East", issuer_of_patient_id="E", issuer_of_accession_number="E"
    )
    ApplicationEntity.objects.create(ae_title="CT_2", host="h", port=1, site=east)
    sender = actor_for_ae("CT_2", "10.0.0.2").actor
    rule(IntakeAction.QUARANTINE, "ae:CT_2")
    sent = defective()
    record(sender, sent)
    row = QuarantinedObject.objects.get()
    with pytest.raises(NotFoundError):
        quarantine_release(actor=person("MAIN"), keys=[row.pk], reason="why", at=clock.now())
    with pytest.raises(InvalidInputError):
        quarantine_release(actor=person("EAST"), keys=[row.pk], reason=" ", at=clock.now())
    [release] = quarantine_release(
        actor=person("EAST"), keys=[row.pk], reason="The scout is like that", at=clock.now()
    )
    assert release.error is None
    study = Study.objects.get(study_instance_uid=release.study_instance_uid)
    assert (study.site, study.source) == (east, "CT_2")
    instance = Instance.objects.select_related("stored_object").get()
    kept = write_storage().read(instance.stored_object.locations.get().key)
    assert dataset_bytes(kept) == dataset_bytes(sent)
    assert dcmread(DicomBytesIO(kept)).file_meta.SourceApplicationEntityTitle == "CT_2"
    row.refresh_from_db()
    assert (row.state, row.decided_by) == ("released", "Meijer, Bram")
    event = AuditEvent.objects.get(event="studies.quarantine.released")
    assert (event.details["reason"], event.details["source"]) == ("The scout is like that", "CT_2")
    [again] = quarantine_release(
        actor=person("EAST"), keys=[row.pk], reason="again", at=clock.now()
    )
    assert isinstance(again.error, ConflictError)
    assert not StudyAttention.objects.filter(kind="quarantined", resolved_at=None).exists()


def test_discarded_taken_back_and_removed_after_a_month(modality, rule):
    rule(IntakeAction.QUARANTINE)
    record(modality, defective(), defective())
    keys = list(QuarantinedObject.objects.values_list("pk", flat=True))
    now = clock.now()
    assert quarantine_discard(actor=person(), keys=keys, reason="Phantom", at=now) == 2
    assert not StudyAttention.objects.filter(kind="quarantined", resolved_at=None).exists()
    quarantine_restore(actor=person(), keys=keys[:1], at=now)
    assert StudyAttention.objects.filter(kind="quarantined", resolved_at=None).count() == 1
    later = now + KEPT + datetime.timedelta(hours=1)
    files = [Path(write_storage().local_path(key)) for key in _keys()]
    assert quarantine_purge(actor=ADMIN, at=now) == 0
    assert quarantine_purge(actor=ADMIN, at=later) == 1
    assert sorted(path.exists() for path in files) == [False, True]
    gone = QuarantinedObject.objects.get(pk=keys[1])
    assert (gone.state, gone.stored_object) == ("discarded", None)
    with pytest.raises(ConflictError):
        quarantine_restore(actor=person(), keys=[gone.pk], at=later)


def _keys() -> list[str]:
    return list(Location.objects.order_by("pk").values_list("key", flat=True))


def test_a_sender_that_is_set_wrong_asks_once_for_each_kind_over_all_its_studies(modality):
    other = actor_for_ae("CT_2", "127.0.0.1").actor
    for study in ("1.2.3.4", "1.2.3.5", "1.2.3.5"):
        record(modality, defective(study=study), as_file(ct_slice(study=study, Modality="")))
    record(other, defective(study="1.2.3.6"))
    items = StudyAttention.objects.filter(kind="flagged").order_by("pk")
    found = [(i.details["source"], i.details["images"], i.details["studies"]) for i in items]
    assert found == [
        ("CT_1", 3, ["1.2.3.4", "1.2.3.5"]),
        ("CT_1", 3, ["1.2.3.4", "1.2.3.5"]),
        ("CT_2", 1, ["1.2.3.6"]),
    ]
    assert len({item.details["code"] for item in items[:2]}) == 2
    first = items[0]
    first.resolved_at, first.resolution = clock.now(), "mended"
    first.save()
    record(modality, defective(study="1.2.3.7"), as_file(ct_slice(study="1.2.3.7", Modality="")))
    reopened = items.filter(resolved_at=None, key=first.key).get()
    assert (reopened.details["images"], reopened.details["studies"]) == (1, ["1.2.3.7"])
