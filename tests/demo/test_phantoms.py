"""Phantoms: tissue values and geometry as in life, valid objects, priors of the same body."""

import subprocess
from datetime import UTC, date, datetime
from functools import cache
from io import BytesIO

import numpy as np
import pydicom
import pytest

from apps.demo.phantoms import ct, head
from apps.demo.phantoms.dicom import Coding, StudyTags, Subject, age, part10
from apps.demo.phantoms.exams import KINDS, Exam, images
from apps.demo.phantoms.torso import Build

SUBJECT = Subject("NMG0001", "NMG", "Παπαδοπούλου^Ελένη", date(1967, 11, 4), "F")
STUDY = StudyTags(
    study_instance_uid="2.25.1234",
    accession_number="NMG26-000001",
    issuer_of_accession_number="NMG",
    description="An exam",
    started_at=datetime(2026, 11, 24, 9, 31, tzinfo=UTC),
    referring_physician="Raman^Priya^^Dr",
    requested_procedure_id="RP000001",
    scheduled_step_id="SPS000001",
    code=("CTCHEST", "L", "CT chest"),
)
IMAGES_NEEDED = {"ct_chest": 35, "ct_abdomen": 50, "ct_head": 19, "mr_brain": 72, "mr_spine": 26,
                 "mg": 4, "us_abdomen": 2}  # fmt: skip


@cache
def objects(
    kind: str, person: int = 5, *, coding: Coding = Coding.JPEG_LS
) -> tuple[pydicom.Dataset, ...]:
    exam = Exam(kind, person, coarse=True, coding=coding)
    return tuple(pydicom.dcmread(BytesIO(part10(ds))) for ds in images(exam, SUBJECT, STUDY))


def hounsfield(build: Build, z: float, x: float, y: float, radius_mm: float = 4.0) -> float:
    """Median of a round region at a place given in mm of the standard body."""
    protocol = ct.Protocol(size=256)
    image = next(ct.slices(build, protocol, [z]))
    spacing = protocol.field_mm / protocol.size / build.scale
    rows, cols = np.mgrid[0:256, 0:256]
    where = np.hypot((cols - 127.5) * spacing - x, (rows - 127.5) * spacing - y) < radius_mm
    return float(np.median(image[where]))


@pytest.mark.parametrize(
    ("tissue", "place", "low", "high"),
    [
        ("air around", (50, -180, -150), -1010, -980),
        ("right lung", (60, -95, -30), -900, -700),
        ("left lung", (150, 70, 45), -900, -700),
        ("windpipe", (190, 1, 18), -1010, -950),
        ("liver", (-40, -90, 25), 50, 70),
        ("spleen", (-80, 106, 12), 40, 60),
        ("aorta", (-40, 10, 15), 30, 52),
        ("psoas", (-220, 41, 26), 48, 74),
        ("fat under the skin", (-60, 0, -112), -115, -80),
        ("vertebral marrow", (-216, 0, 24), 150, 260),
        ("bladder", (-368, 0, -22), -4, 15),
        ("gall bladder", (-124, -38, -42), 0, 18),
    ],
)
def test_tissues_have_their_hounsfield_values(tissue, place, low, high):
    value = hounsfield(Build(seed=3, fat_mm=22), *place)
    assert low <= value <= high, f"{tissue}: {value:.0f} HU"


def test_bone_is_as_dense_as_bone():
    image = next(ct.slices(Build(seed=3), ct.Protocol(size=256), [100.0]))
    assert 400 < np.percentile(image[image > 300], 50) < 1000


def test_contrast_brightens_vessels_and_kidneys_only():
    plain, enhanced = Build(seed=4), Build(seed=4, contrast=True)
    for place, least in (((-40, 10, 15), 100), ((-140, 74, 36), 60), ((-40, -90, 25), 40)):
        assert hounsfield(enhanced, *place) - hounsfield(plain, *place) > least
    assert abs(hounsfield(enhanced, -220, 41, 26) - hounsfield(plain, -220, 41, 26)) < 5


def test_head_tissues():
    volume = head.volumes(head.HeadBuild(seed=2, bleed_mm=26), [head.CT], 256, 0.94, [4.0, 40.0])[0]

    def at(level: int, x: float, y: float) -> float:
        row, col = round(y / 0.94 + 127.5), round(x / 0.94 + 127.5)
        return float(volume[level, row - 1 : row + 2, col - 1 : col + 2].mean())

    assert 60 < at(0, -29, -2) < 75  # the bleed, on the patient's right: left of the picture
    assert 30 < at(0, 10, 9) < 45  # thalamus
    assert 20 < at(1, 20, 0) < 42  # white matter above the ventricles
    assert volume[1].max() > 1000  # skull
    assert volume[1, 2, 2] == -1000


def test_a_nodule_has_its_size_and_the_rest_of_the_prior_is_the_same_body():
    prior, today = Build(seed=8, nodule_mm=6.2), Build(seed=8, nodule_mm=11.0)
    protocol = ct.Protocol(size=512, noise_hu=0.0)
    a, b = (next(ct.slices(build, protocol, [prior.nodule_at[2]])) for build in (prior, today))
    spacing = protocol.field_mm / 512
    columns = np.flatnonzero(np.abs(a - b).max(axis=0) > 60)
    assert (columns[-1] - columns[0]) * spacing < 24
    x, y, _ = today.nodule_at
    row = round(y / spacing + 255.5)
    col = round(x / spacing + 255.5)
    wide = np.flatnonzero(b[row, col - 20 : col + 21] > -400)
    assert (wide[-1] - wide[0] + 1) * spacing == pytest.approx(11.0, abs=1.6)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_objects_are_one_study_with_unique_instances(kind):
    found = objects(kind)
    assert {ds.StudyInstanceUID for ds in found} == {"2.25.1234"}
    assert len({ds.SOPInstanceUID for ds in found}) == len(found)
    assert {str(ds.PatientName) for ds in found} == {"Παπαδοπούλου^Ελένη"}
    assert {ds.AccessionNumber for ds in found} == {"NMG26-000001"}
    assert {ds.PatientAge for ds in found} == {"059Y"}
    for ds in (found[0], found[-1]):
        pixels = ds.pixel_array
        assert pixels.max() < 2**ds.BitsStored
        assert pixels.std() > 10


@pytest.mark.parametrize("kind", sorted(IMAGES_NEEDED))
def test_exams_have_the_images_of_a_real_one(kind):
    found = objects(kind)
    assert len(found) >= IMAGES_NEEDED[kind]


@pytest.mark.parametrize("kind", ["ct_chest", "ct_head", "mr_brain", "mr_spine"])
def test_stacks_are_evenly_spaced_in_one_frame_of_reference(kind):
    found = [ds for ds in objects(kind) if "LOCALIZER" not in ds.ImageType]
    assert len({ds.FrameOfReferenceUID for ds in found}) == 1
    last = max(ds.SeriesNumber for ds in found)
    stack = [ds for ds in found if ds.SeriesNumber == last]
    across = np.array(stack[0].ImageOrientationPatient, dtype=float)
    normal = np.cross(across[:3], across[3:])
    along = [float(np.dot(normal, np.array(ds.ImagePositionPatient, dtype=float))) for ds in stack]
    steps = np.diff(along)
    assert np.allclose(steps, steps[0], atol=0.01)
    assert abs(steps[0]) > 1


def test_same_seed_same_bytes():
    first, again = (
        [part10(ds) for ds in images(Exam("xr_hand", 3), SUBJECT, STUDY)] for _ in range(2)
    )
    assert first == again


@pytest.mark.parametrize("coding", [Coding.JPEG_LS, Coding.HTJ2K])
def test_compression_loses_nothing(coding):
    plain = objects("mr_spine", coding=Coding.PLAIN)[0]
    packed = objects("mr_spine", coding=coding)[0]
    assert packed.file_meta.TransferSyntaxUID == coding.value
    assert np.array_equal(plain.pixel_array, packed.pixel_array)
    assert len(packed.PixelData) < len(plain.PixelData) * 0.8


def test_radiographs_say_how_they_are_calibrated():
    computed = objects("xr_chest", person=6)[0]
    assert computed.PhotometricInterpretation == "MONOCHROME1"
    assert "PixelSpacing" not in computed
    assert computed.ImagerPixelSpacing[0] == pytest.approx(0.36)
    digital = objects("xr_chest", person=7)[0]
    assert digital.PhotometricInterpretation == "MONOCHROME2"
    assert digital.PixelSpacing[0] == pytest.approx(0.36)
    # Lungs are dark on both once MONOCHROME1 is turned over.
    for ds in (computed, digital):
        shown = ds.pixel_array.astype(float) / 2**ds.BitsStored
        if ds.PhotometricInterpretation == "MONOCHROME1":
            shown = 1 - shown
        assert shown[400, 250] < shown[800, 512]


def test_ultrasound_is_a_calibrated_moving_loop():
    ds = objects("us_abdomen")[0]
    loop = ds.pixel_array
    assert len(loop) == ds.NumberOfFrames == 16
    assert np.abs(loop[0].astype(int) - loop[6].astype(int)).mean() > 2
    area = ds.SequenceOfUltrasoundRegions[0]
    assert area.PhysicalUnitsXDirection == 3
    height = area.RegionLocationMaxY1 - area.RegionLocationMinY0
    assert height * area.PhysicalDeltaY == pytest.approx(15.0, abs=0.5)


def test_mammograms_cover_both_sides_and_views():
    found = objects("mg")
    assert {(ds.ImageLaterality, ds.ViewPosition) for ds in found} == {
        ("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"),
    }  # fmt: skip
    for ds in found:
        wall = -1 if ds.ImageLaterality == "R" else 0
        assert ds.pixel_array[640, wall] > 400
        assert ds.pixel_array[640, -1 - wall] < 100


@pytest.mark.parametrize(
    ("born", "on", "expected"),
    [
        (date(1967, 11, 4), date(2026, 3, 1), "058Y"),
        (date(2026, 2, 27), date(2026, 3, 1), "002D"),
        (date(2025, 9, 1), date(2026, 3, 1), "005M"),
    ],
)
def test_age_is_said_in_the_unit_of_the_clinic(born, on, expected):
    assert age(born, on) == expected


@pytest.mark.peer
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_dciodvfy_finds_no_error(kind, tmp_path, dciodvfy):
    found = objects(kind)
    for ds in {id(d): d for d in (found[0], found[len(found) // 2], found[-1])}.values():
        path = tmp_path / f"{ds.InstanceNumber}-{ds.SeriesNumber}.dcm"
        ds.save_as(path)
        answer = subprocess.run(
            [dciodvfy, str(path)], capture_output=True, text=True, check=False, timeout=30
        )
        assert not [line for line in answer.stderr.splitlines() if line.startswith("Error")]
