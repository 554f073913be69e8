"""Images that come again: compared by attribute and pixel, and a person's choice between them.

The variants are made by dcmtk, and what is expected is read by dcmtk: dcmcjpeg, dcmdjpeg, dcmcrle,
dcmconv, dcmodify, dcmdump.
"""

import resource
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO

from apps.accounts.domain import Permission
from apps.accounts.models import ApplicationEntity, Site
from apps.accounts.selectors import actor_for_ae
from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.actors import Actor, ActorKind
from apps.core.errors import ConflictError, NotFoundError
from apps.core.tasks import relay_once
from apps.core.uids import new_uid
from apps.studies import tasks
from apps.studies.domain import Difference
from apps.studies.imaging import compare as comparing
from apps.studies.models import Instance, InstanceVersion, Series, Study, StudyAttention
from apps.studies.services import InstanceStatus, instances_record
from apps.studies.services.versions import (
    version_choice_undo,
    version_choose,
    versions_compare,
)
from tests.factories.dicom import as_file, ct_slice, stage

pytestmark = pytest.mark.django_db
KEEPING = ("BigEndian", "LittleEndian", "Lossless", "Process14", "Deflated")
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


@pytest.fixture
def modality(settings) -> Actor:
    settings.ISOCENTER_OPEN_AE = True
    return actor_for_ae("CT_1", "127.0.0.1").actor


@pytest.fixture
def send(modality):
    """Have CT_1 send files or data sets, and return what became of the last."""

    def send(*files, actor: Actor = modality) -> InstanceStatus:
        staged = [stage(f if isinstance(f, bytes | Path) else as_file(f)) for f in files]
        results = instances_record(actor=actor, batch=staged, at=clock.now(), door="dimse")
        return results[-1].status

    return send


@pytest.fixture
def variant(dcmtk, tmp_path):
    """Make another file of one by a program of dcmtk; the UIDs stay."""

    def make(program: str, *options: str, of: bytes | Path) -> Path:
        source, made = tmp_path / "source.dcm", tmp_path / f"{program}{len(options)}.dcm"
        source.write_bytes(of if isinstance(of, bytes) else of.read_bytes())
        if program == "dcmodify":
            made.write_bytes(source.read_bytes())
            command = [dcmtk(program), "-nb", "-nrc", *options, str(made)]
        else:
            command = [dcmtk(program), *options, str(source), str(made)]
        subprocess.run(command, check=True, capture_output=True)
        return made

    return make


def person(site: str = "MAIN", permission: Permission = Permission.STUDY_RECONCILE) -> Actor:
    return Actor(
        kind=ActorKind.USER,
        key="user:7",
        display="Vale, Ann",
        permissions=frozenset({permission.value, Permission.STUDY_READ.value}),
        sites=frozenset({Site.objects.get(code=site).pk}),
    )


def compared() -> InstanceVersion:
    versions_compare(at=clock.now())
    version = InstanceVersion.objects.order_by("pk").last()
    assert version is not None
    return version


def item() -> StudyAttention:
    return StudyAttention.objects.filter(kind="other-version").latest("pk")


@pytest.mark.parametrize(
    ("program", "options"),
    [
        ("dcmcrle", ()),
        ("dcmconv", ("+ti",)),
        ("dcmconv", ("+tb",)),
        ("dcmconv", ("+td",)),
    ],
)
def test_the_same_picture_in_another_encoding_is_kept_and_said_to_be_the_same(
    send, variant, program, options
):
    ds = ct_slice(SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg", PatientID="P9")
    ds.add_new(0x00090010, "LO", "MAKER 1")
    ds.add_new(0x00091001, "LO", "private words")
    first = as_file(ds)
    assert send(first) is InstanceStatus.STORED
    assert send(variant(program, *options, of=first)) is InstanceStatus.OTHER_VERSION
    version = compared()
    assert version.difference == Difference.ENCODING, version.difference_words
    assert version.difference_words.startswith("The same pixels and the same attributes, encoded")
    assert version.difference_words in item().summary


def test_what_a_compressor_notes_of_itself_is_told(send, variant):
    first = as_file(ct_slice())
    send(first)
    send(variant("dcmcjpeg", "+e1", of=first))
    version = compared()
    assert version.difference == Difference.HEADER
    assert version.difference_words == (
        "The same pixels; 1 attribute differs: Derivation Description"
    )


@pytest.mark.parametrize(
    ("first", "later", "difference"),
    [
        ("MR_small.dcm", "MR_small_bigendian.dcm", Difference.ENCODING),
        ("MR_small.dcm", "MR_small_implicit.dcm", Difference.ENCODING),
        ("MR_small.dcm", "MR_small_RLE.dcm", None),
        ("MR_small.dcm", "MR_small_jp2klossless.dcm", None),
        ("MR_small.dcm", "MR_small_jpeg_ls_lossless.dcm", None),
        ("rtdose.dcm", "rtdose_rle.dcm", None),
        ("SC_rgb_small_odd.dcm", "SC_rgb_small_odd_big_endian.dcm", Difference.ENCODING),
        ("SC_rgb_small_odd.dcm", "SC_rgb_small_odd_jpeg.dcm", Difference.PIXELS),
    ],
)
def test_real_files_in_two_encodings(send, first, later, difference):
    """None: the same picture, whatever else the program that made it has written."""
    ds = dcmread(PYDICOM_FILES / first)
    other = dcmread(PYDICOM_FILES / later)
    other.SOPInstanceUID = ds.SOPInstanceUID
    send(as_file(ds, ds.file_meta.TransferSyntaxUID))
    send(as_file(other, other.file_meta.TransferSyntaxUID))
    version = compared()
    if difference is None:
        assert version.difference in {Difference.ENCODING, Difference.HEADER}
    else:
        assert version.difference == difference, version.difference_words


def test_another_header_is_told_tag_by_tag(send, variant):
    first = as_file(ct_slice())
    send(first)
    send(variant("dcmodify", "-m", "(0018,0050)=2", "-i", "(0010,4000)=seen", of=first))
    version = compared()
    assert version.difference == Difference.HEADER
    assert version.difference_words == (
        "The same pixels; 2 attributes differ: Patient Comments, Slice Thickness"
    )


def test_other_pixels_are_told_with_frame_and_largest_difference(send):
    ds = dcmread(PYDICOM_FILES / "rtdose.dcm")
    send(as_file(ds, ds.file_meta.TransferSyntaxUID))
    pixels = np.frombuffer(ds.PixelData, "<u4").reshape(15, 10, 10).copy()
    pixels[6, 5, 5] += 17
    ds.PixelData = pixels.tobytes()
    send(as_file(ds, ds.file_meta.TransferSyntaxUID))
    version = compared()
    assert (version.difference, version.differing_frame) == (Difference.PIXELS, 7)
    assert version.difference_words == (
        "Other pixels: from frame 7 on, values differ by up to 17; the same attributes"
    )


def test_loss_is_measured_as_dcmtk_decodes_it(send, variant, dcmtk, tmp_path):
    ds = ct_slice(size=64, BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0)
    ds.PixelData = np.random.default_rng(4).integers(0, 255, (64, 64), "u1").tobytes()
    first = as_file(ds)
    send(first)
    lossy = variant("dcmcjpeg", "+eb", "--uid-never", of=first)
    send(lossy)
    version = compared()
    native = tmp_path / "native.dcm"
    subprocess.run([dcmtk("dcmdjpeg"), lossy, native], check=True)
    subprocess.run([dcmtk("dcmdump"), "+W", str(tmp_path), native], check=True, capture_output=True)
    [raw] = tmp_path.glob("*.raw")
    shown = np.frombuffer(raw.read_bytes(), "u1")
    expected = np.abs(shown.astype(int) - np.frombuffer(ds.PixelData, "u1")).max()
    assert version.difference == Difference.PIXELS
    assert f"values differ by up to {expected};" in version.difference_words


def test_one_ct_in_thirteen_transfer_syntaxes_is_one_picture_where_nothing_was_lost(
    send, shared_data
):
    """The files are of independent makers; their names say which of them lost something."""
    folder = shared_data / "dicom" / "ts-one-ct-in-13-syntaxes"
    files = sorted(path for path in folder.iterdir() if path.suffix == ".dcm")
    assert len(files) > 10
    first, *others = [dcmread(path) for path in files]
    send(files[0])
    for path, ds in zip(files[1:], others, strict=True):
        ds.SOPInstanceUID = first.SOPInstanceUID
        if send(as_file(ds, ds.file_meta.TransferSyntaxUID)) is InstanceStatus.ALREADY_HERE:
            continue
        lost = not any(word in path.name for word in KEEPING)
        assert (compared().difference == Difference.PIXELS) is lost, path.name


def test_what_cannot_be_decoded_is_said_to_be_unknown_and_large_frames_are_not_held(
    send, monkeypatch
):
    ds = ct_slice()
    send(ds)
    ds.PixelData = ds.PixelData[::-1]
    send(ds)
    monkeypatch.setattr(comparing, "FRAME_BYTES", 16)
    version = compared()
    assert version.difference == Difference.UNKNOWN
    assert "too large to be decoded" in version.difference_words


def test_memory_stays_bounded_with_many_frames(send):
    """64 frames of 2 MB differ in the last one: two frames are held, not two objects."""
    ds = ct_slice(size=1024, NumberOfFrames=64)
    ds.PixelData = bytes(64 << 21)
    send(ds)
    ds.PixelData = bytes((64 << 21) - 2) + b"\x05\x00"
    send(ds)
    del ds.PixelData
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    version = compared()
    assert (version.difference, version.differing_frame) == (Difference.PIXELS, 64)
    assert "up to 5;" in version.difference_words
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) < 64 << 10


def test_a_comparison_that_stops_three_times_is_left_to_a_person(send, monkeypatch):
    ds = ct_slice()
    send(ds)
    send(_with(ds, PatientComments="x"))

    def stop(*_):
        raise MemoryError

    monkeypatch.setattr("apps.studies.services.versions.compare", stop)
    for _ in range(3):
        with pytest.raises(MemoryError):
            versions_compare(at=clock.now())
    version = compared()
    assert (version.difference, version.attempts) == (Difference.UNKNOWN, 3)
    assert "look at the two yourself" in item().summary


def test_the_ingest_wakes_the_comparison_after_its_commit(send, monkeypatch):
    woken = []
    monkeypatch.setattr(tasks.compare_versions, "delay", lambda: woken.append(1))
    ds = ct_slice()
    send(ds)
    while relay_once():
        pass
    assert not woken
    send(_with(ds, PatientComments="x"))
    assert not InstanceVersion.objects.get().compared_at


def _with(ds, **attributes):
    changed = dcmread(DicomBytesIO(as_file(ds)))
    for keyword, value in attributes.items():
        setattr(changed, keyword, value)
    return changed


def test_what_comes_again_under_another_study_stays_with_its_first_and_leaves_no_empty_one(send):
    ds = ct_slice()
    send(ds)
    other = _with(ds, StudyInstanceUID=new_uid(), SeriesInstanceUID=new_uid())
    assert send(other) is InstanceStatus.OTHER_VERSION
    assert Study.objects.count() == Series.objects.count() == 1
    assert item().study == Study.objects.get()
    with pytest.raises(ConflictError, match="another study"):
        version_choose(
            actor=person(),
            instance_id=Instance.objects.get().pk,
            stored_object_id=InstanceVersion.objects.get().stored_object_id,
            at=clock.now(),
        )


def test_twice_in_one_batch_under_two_studies_is_one_image(send):
    ds = ct_slice()
    send(ds, _with(ds, StudyInstanceUID=new_uid()))
    assert Study.objects.count() == Instance.objects.count() == InstanceVersion.objects.count() == 1


def test_the_other_one_is_chosen_and_taken_back(send):
    ds = ct_slice()
    send(ds)
    later = _with(
        ds, InstanceNumber="9", Rows=8, Columns=32, SeriesDescription="NEW", StudyDescription="B"
    )
    send(later)
    instance, version = Instance.objects.get(), InstanceVersion.objects.get()
    first, second = instance.stored_object_id, version.stored_object_id
    series_version = Series.objects.get().version
    choice = version_choose(
        actor=person(), instance_id=instance.pk, stored_object_id=second, at=clock.now()
    )
    instance.refresh_from_db()
    assert (choice.current_id, choice.before_id) == (second, first)
    assert (instance.stored_object_id, instance.instance_number, instance.rows) == (second, "9", 8)
    assert Series.objects.get().series_description == "NEW"
    assert Series.objects.get().version == series_version + 1
    assert Study.objects.get().study_description == "B"
    assert Study.objects.get().number_of_instances == 1
    assert item().resolution == "Another version was made the current one"
    assert AuditEvent.objects.filter(event="studies.version.chosen").count() == 1
    assert compared().stored_object_id == first
    assert send(ds) is InstanceStatus.OTHER_VERSION  # a decided one opens nothing again
    assert send(later) is InstanceStatus.ALREADY_HERE
    assert item().resolved_at
    undone = {"current_id": second, "before_id": first}
    version_choice_undo(actor=person(), instance_id=instance.pk, **undone, at=clock.now())
    instance.refresh_from_db()
    assert (instance.stored_object_id, instance.rows) == (first, 16)
    assert Study.objects.get().study_description == "CT CHEST"
    assert item().resolved_at is None
    with pytest.raises(ConflictError):
        version_choice_undo(actor=person(), instance_id=instance.pk, **undone, at=clock.now())


def test_that_the_first_stays_closes_the_item_and_changes_nothing(send):
    ds = ct_slice()
    send(ds)
    send(_with(ds, PatientComments="x"))
    instance = Instance.objects.get()
    current = instance.stored_object_id
    for actor in (person(), person()):
        version_choose(
            actor=actor, instance_id=instance.pk, stored_object_id=current, at=clock.now()
        )
    assert item().resolution == "The current one stays"
    assert InstanceVersion.objects.get().stored_object_id != current
    version_choice_undo(
        actor=person(),
        instance_id=instance.pk,
        current_id=current,
        before_id=current,
        at=clock.now(),
    )
    assert item().resolved_at is None


def test_another_patient_is_not_put_in_their_place(send):
    ds = ct_slice()
    send(ds)
    send(_with(ds, PatientID="P2", PatientName="Other^Person"))
    with pytest.raises(ConflictError, match="another patient"):
        version_choose(
            actor=person(),
            instance_id=Instance.objects.get().pk,
            stored_object_id=InstanceVersion.objects.get().stored_object_id,
            at=clock.now(),
        )


def test_who_may_not_see_the_study_finds_no_image_to_choose(send):
    Site.objects.create(
        code="EAST", name="East", issuer_of_patient_id="E", issuer_of_accession_number="E"
    )
    ApplicationEntity.objects.create(
        ae_title="CT_E", host="h", port=1, site=Site.objects.get(code="EAST")
    )
    ds = ct_slice()
    send(ds)
    send(_with(ds, PatientComments="x"))
    wanted = {
        "instance_id": Instance.objects.get().pk,
        "stored_object_id": InstanceVersion.objects.get().stored_object_id,
        "at": clock.now(),
    }
    for actor in (person("EAST"), person(permission=Permission.STUDY_STORE)):
        with pytest.raises(NotFoundError):
            version_choose(actor=actor, **wanted)


def test_the_sender_of_each_is_known_through_choices(send, settings):
    settings.ISOCENTER_OPEN_AE = True
    second = actor_for_ae("WS_2", "127.0.0.1").actor
    ds = ct_slice()
    send(ds)
    send(_with(ds, PatientComments="x"), actor=second)
    instance, version = Instance.objects.get(), InstanceVersion.objects.get()
    version_choose(
        actor=person(),
        instance_id=instance.pk,
        stored_object_id=version.stored_object_id,
        at=clock.now(),
    )
    version.refresh_from_db()
    assert "CT_1" in version.source
    assert "WS_2" in version.current_source
