"""Whole exams: which series a phantom of a kind has, as DICOM objects ready to be stored.

An `Exam` says what to draw; two exams with the same `person` seed are of the same body, so that a
prior can be compared with today's.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from apps.core.uids import derived_uid
from apps.demo.phantoms import ct as trunk
from apps.demo.phantoms import head, limb, mammogram, radiograph, spine, ultrasound
from apps.demo.phantoms.canvas import Floats, Grain, blur
from apps.demo.phantoms.dicom import (
    BRAIN_FIRST,
    LUNG_FIRST,
    SOFT_FIRST,
    Coding,
    Region,
    Series,
    StudyTags,
    Subject,
    Windows,
    cr,
    ct,
    dx,
    mg,
    mr,
    set_plane,
    us_cine,
)
from apps.demo.phantoms.torso import Build

AXIAL = (1, 0, 0, 0, 1, 0)
SAGITTAL = (0, 1, 0, 0, 0, -1)
CORONAL = (1, 0, 0, 0, 0, -1)
_CHEST_REGION = ("51185008", "SCT", "Chest")
_HAND_REGION = ("85562004", "SCT", "Hand")
_KNEE_REGION = ("72696002", "SCT", "Knee")


@dataclass(frozen=True)
class Exam:
    """What to draw.

    Args:
        kind: a key of `KINDS`.
        person: seed of the body.
        finding: what is wrong with it, by the name of a field of the kind's build.
        coarse: fewer and smaller slices, for exams that only have to be there.
        coding: how the pixel data is stored.
    """

    kind: str
    person: int
    finding: Mapping[str, Any] = field(default_factory=dict)
    coarse: bool = False
    coding: Coding = Coding.JPEG_LS


def images(exam: Exam, subject: Subject, study: StudyTags) -> Iterator[Dataset]:
    """Yield the exam's objects in the order in which a modality would send them."""
    return KINDS[exam.kind](exam, subject, study)


def _scale(person: int) -> float:
    return 0.94 + (person * 37 % 13) / 100


def _trunk_build(exam: Exam, subject: Subject, *, contrast: bool) -> Build:
    return Build(
        seed=exam.person,
        sex="F" if subject.sex == "F" else "M",
        scale=_scale(exam.person),
        fat_mm=8 + exam.person * 29 % 24,
        heart=1 + (exam.person % 5 - 2) * 0.025,
        contrast=contrast,
        **exam.finding,
    )


def _reference(study: StudyTags) -> str:
    return derived_uid(study.study_instance_uid, "frame of reference")


def _ct_trunk(
    exam: Exam, subject: Subject, study: StudyTags, span: tuple[float, float], body: str, *,
    contrast: bool,
) -> Iterator[Dataset]:  # fmt: skip
    build = _trunk_build(exam, subject, contrast=contrast)
    thick = 8.0 if exam.coarse else 5.0
    protocol = trunk.Protocol(size=256 if exam.coarse else 512, thick_mm=thick)
    levels = trunk.positions(span, protocol)
    spacing = protocol.field_mm / protocol.size
    half = spacing * (protocol.size - 1) / 2
    volume = list(trunk.slices(build, protocol, levels))
    step = thick * build.scale
    yield _scout(exam, subject, study, build, volume, levels, spacing, thick)
    words = "portal venous" if contrast else "without contrast"
    axial = Series(2, "CT", f"{body.title()} {step:.1f} mm {words}", body, 4.0, f"{body} routine")
    for k, (z, hu) in enumerate(zip(levels, volume, strict=True), start=1):
        ds = ct(
            subject, study, axial, k, hu, SOFT_FIRST, exam.coding, kernel="B30f", contrast=contrast
        )
        set_plane(ds, _reference(study), AXIAL, (-half, -half, z * build.scale), spacing, step)
        yield ds
    if body == "CHEST" and not exam.coarse:
        grain = Grain(np.random.default_rng(exam.person), protocol.size, softness=1)
        lung = Series(3, "CT", f"Lung {2 * step:.1f} mm sharp", body, 4.5, f"{body} lung")
        pairs = list(zip(levels, volume, strict=True))[::2]
        for k, (z, hu) in enumerate(pairs, start=1):
            sharp = hu + (hu - blur(hu)) * 0.9 + grain.field(hu.shape) * 26
            ds = ct(subject, study, lung, k, sharp, LUNG_FIRST, exam.coding, kernel="B70f",
                    contrast=contrast)  # fmt: skip
            set_plane(ds, _reference(study), AXIAL, (-half, -half, z * build.scale), spacing, step)
            yield ds


def _scout(
    exam: Exam, subject: Subject, study: StudyTags, build: Build, volume: list[Floats],
    levels: list[float], spacing: float, thick: float,
) -> Dataset:  # fmt: skip
    flat = trunk.scout(volume)
    rows = round(len(levels) * thick * build.scale / spacing)
    at = np.linspace(0, len(levels) - 1, rows)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(levels) - 1)
    part = (at - low).astype(np.float32)[:, None]
    picture = flat[low] * (1 - part) + flat[high] * part
    series = Series(
        1, "CT", "Scout frontal", "CHEST" if levels[0] > 100 else "ABDOMEN", 1.0, "Scout"
    )
    windows = Windows((-450,), (900,))
    ds = ct(subject, study, series, 1, picture * 0.9 - 900, windows, exam.coding, kernel="T20s",
            contrast=False, original=False)  # fmt: skip
    half = spacing * (flat.shape[1] - 1) / 2
    set_plane(ds, _reference(study), CORONAL, (-half, 0, levels[0] * build.scale), spacing, 1.0)
    return ds


def _ct_chest(exam: Exam, subject: Subject, study: StudyTags) -> Iterator[Dataset]:
    return _ct_trunk(exam, subject, study, trunk.CHEST_RANGE, "CHEST", contrast=False)


def _ct_abdomen(exam: Exam, subject: Subject, study: StudyTags) -> Iterator[Dataset]:
    return _ct_trunk(exam, subject, study, trunk.ABDOMEN_RANGE, "ABDOMEN", contrast=True)


def _head_build(exam: Exam) -> head.HeadBuild:
    finding = dict(exam.finding)
    return head.HeadBuild(
        seed=exam.person,
        scale=0.95 + exam.person % 7 / 100,
        ventricles=finding.pop("ventricles", 0.9 + exam.person % 5 * 0.12),
        bleed_mm=finding.pop("bleed_mm", 0.0),
        infarct=bool(finding.pop("infarct", 0)),
        plaques=int(finding.pop("plaques", 0)),
    )


def _ct_head(exam: Exam, subject: Subject, study: StudyTags) -> Iterator[Dataset]:
    size, thick = (256, 7.0) if exam.coarse else (512, 5.0)
    spacing = 240 / size
    half = spacing * (size - 1) / 2
    levels = [-56 + thick * k for k in range(int(136 / thick))]
    build = _head_build(exam)
    volume = head.volumes(build, [head.CT], size, spacing, [z / build.scale for z in levels])[0]
    rng = np.random.default_rng(exam.person)
    grain = Grain(rng, size, softness=2)
    series = Series(2, "CT", f"Head {thick:.0f} mm", "HEAD", 2.0, "Head routine")
    for k, (z, hu) in enumerate(zip(levels, volume, strict=True), start=1):
        picture = blur(hu) + grain.field(hu.shape) * 3.2
        ds = ct(subject, study, series, k, picture, BRAIN_FIRST, exam.coding, kernel="H31s",
                contrast=False)  # fmt: skip
        set_plane(ds, _reference(study), AXIAL, (-half, -half, z), spacing, thick)
        yield ds


_SPIN_ECHO: dict[str, object] = {
    "ScanningSequence": "SE", "SequenceVariant": "SK", "ScanOptions": "", "MRAcquisitionType": "2D",
    "EchoTrainLength": 12, "FlipAngle": 90,
}  # fmt: skip
_T1_PHYSICS = _SPIN_ECHO | {"RepetitionTime": 520, "EchoTime": 12, "EchoTrainLength": 1}
_T2_PHYSICS = _SPIN_ECHO | {"RepetitionTime": 4200, "EchoTime": 98}
_FLAIR_PHYSICS = _SPIN_ECHO | {
    "ScanningSequence": ["SE", "IR"], "RepetitionTime": 9000, "EchoTime": 118,
        "InversionTime": 2500,
}  # fmt: skip


def _mr_brain(exam: Exam, subject: Subject, study: StudyTags) -> Iterator[Dataset]:
    size, thick = 256, 5.5
    spacing = 220 / size
    half = spacing * (size - 1) / 2
    levels = [-58 + thick * k for k in range(24)]
    build = _head_build(exam)
    weights = [
        ("T1 axial", head.T1, _T1_PHYSICS, (420, 850)),
        ("T2 axial", head.T2, _T2_PHYSICS, (480, 960)),
        ("FLAIR axial", head.FLAIR, _FLAIR_PHYSICS, (360, 720)),
    ]
    tables = [table for _, table, _, _ in weights]
    volumes = head.volumes(build, tables, size, spacing, [z / build.scale for z in levels])
    for n, (volume, (name, _, physics, window)) in enumerate(zip(volumes, weights, strict=True), 1):
        noisy = head.with_mr_noise(volume, exam.person + n, 11)
        series = Series(n, "MR", name, "BRAIN", 4.0 * n, name)
        windows = Windows((window[0],), (window[1],))
        for k, z in enumerate(levels, start=1):
            ds = mr(subject, study, series, k, blur(noisy[k - 1]) * 0.5 + noisy[k - 1] * 0.5,
                windows,
                    exam.coding, physics)  # fmt: skip
            set_plane(ds, _reference(study), AXIAL, (-half, -half, z), spacing, 5.0)
            ds.SpacingBetweenSlices = thick
            yield ds


def _mr_spine(exam: Exam, subject: Subject, study: StudyTags) -> Iterator[Dataset]:
    size, thick = 384, 4.4
    spacing = 330 / size
    half = spacing * (size - 1) / 2
    sides = [thick * (k - 6) for k in range(13)]
    build = spine.SpineBuild(
        seed=exam.person,
        scale=0.94 + exam.person % 9 / 100,
        herniation_mm=exam.finding.get("herniation_mm", 0.0),
        dry=("L5",) if exam.person % 2 else ("L4", "L5"),
    )
    for n, (name, table, physics, window) in enumerate(
        (("T1 sagittal", spine.T1, _T1_PHYSICS, (420, 900)),
         ("T2 sagittal", spine.T2, _T2_PHYSICS, (450, 950))), 1,
    ):  # fmt: skip
        drawn = np.stack(
            spine.sagittal(build, table, size, spacing, [s / build.scale for s in sides])
        )
        volume = head.with_mr_noise(drawn, exam.person + n, 10, 0.05)
        series = Series(n, "MR", name, "LSPINE", 4.0 * n, name)
        windows = Windows((window[0],), (window[1],))
        for k, side in enumerate(sides, start=1):
            ds = mr(subject, study, series, k, volume[k - 1], windows, exam.coding, physics)
            set_plane(ds, _reference(study), SAGITTAL, (side, -half, half), spacing, 4.0)
            ds.SpacingBetweenSlices = thick
            yield ds


def _xr_chest(exam: Exam, subject: Subject, study: StudyTags) -> Iterator[Dataset]:
    spacing = 0.36
    finding = dict(exam.finding)
    build = radiograph.ChestBuild(
        seed=exam.person,
        sex="F" if subject.sex == "F" else "M",
        scale=_scale(exam.person),
        heart=finding.pop("heart", 1.0),
        **finding,
    )
    shown = radiograph.chest_pa(build, 1152, 1024, spacing)
    series = Series(1, "DX", "Chest PA", "CHEST", 0.5, "Chest PA")
    if exam.person % 3 == 0:
        series = Series(1, "CR", "Chest PA", "CHEST", 0.5, "Chest PA")
        yield cr(
            subject,
            study,
            series,
            1,
            shown,
            spacing,
            exam.coding,
            view="PA",
            orientation=("L", "F"),
        )
        return
    yield dx(subject, study, series, 1, shown, spacing, exam.coding, view="PA", orientation=("L",
        "F"),
             laterality="U", region=_CHEST_REGION)  # fmt: skip


def _limb_film(
    exam: Exam, subject: Subject, study: StudyTags, name: str, shown: Floats, spacing: float,
    laterality: str,
) -> Iterator[Dataset]:  # fmt: skip
    part, view, region = {
        "hand": ("HAND", "PA", _HAND_REGION), "knee": ("KNEE", "AP", _KNEE_REGION),
    }[name]  # fmt: skip
    series = Series(1, "DX", f"{name.title()} {view}", part, 0.5, f"{name} {view}")
    # A dorsal hand and a knee from the front both show the little finger's, or fibula's, side out.
    across = {"L": "L", "R": "R"}[laterality]
    if name == "knee":
        across = "L"
    yield dx(subject, study, series, 1, shown, spacing, exam.coding, view=view,
        orientation=(across, "F"),
             laterality=laterality, region=region)  # fmt: skip


def _limb_build(exam: Exam) -> tuple[limb.LimbBuild, str]:
    side = "R" if exam.person % 2 else "L"
    build = limb.LimbBuild(
        seed=exam.person,
        side=-1 if side == "R" else 1,
        scale=0.95 + exam.person % 7 / 100,
        fracture=bool(exam.finding.get("fracture", 0)),
        narrow=exam.finding.get("narrow", 1.0),
    )
    return build, side


def _xr_hand(exam: Exam, subject: Subject, study: StudyTags) -> Iterator[Dataset]:
    build, side = _limb_build(exam)
    shown = limb.hand_pa(build, 1152, 864, 0.26)
    return _limb_film(exam, subject, study, "hand", shown, 0.26, side)


def _xr_knee(exam: Exam, subject: Subject, study: StudyTags) -> Iterator[Dataset]:
    build, side = _limb_build(exam)
    shown = limb.knee_ap(build, 1152, 864, 0.26)
    return _limb_film(exam, subject, study, "knee", shown, 0.26, side)


def _us(
    exam: Exam, subject: Subject, study: StudyTags, views: tuple[str, ...]
) -> Iterator[Dataset]:
    frames = 16 if exam.coarse else 24
    for n, name in enumerate(views, start=1):
        build = ultrasound.UltrasoundBuild(
            seed=exam.person + n,
            view=name,
            depth_mm=160.0 if name == "heart" else 150.0,
            stone_mm=exam.finding.get("stone_mm", 0.0) if name == "liver" else 0.0,
            cyst_mm=exam.finding.get("cyst_mm", 0.0) if name == "kidney" else 0.0,
        )
        place = ultrasound.fan(build)
        region = Region(place.left, place.top, place.right, place.bottom, place.mm_per_px)
        part = "HEART" if name == "heart" else "ABDOMEN"
        words = "Apical four chambers" if name == "heart" else f"{name.title()} long axis"
        series = Series(n, "US", words, part, 2.0 * n, words)
        loop = ultrasound.cine(build, frames)
        ds = us_cine(subject, study, series, 1, loop, region, 40.0, exam.coding)
        if name == "heart":
            ds.ImageType = ["ORIGINAL", "PRIMARY", "CARDIAC", "0001"]
        yield ds


def _us_abdomen(exam: Exam, subject: Subject, study: StudyTags) -> Iterator[Dataset]:
    return _us(exam, subject, study, ("liver", "kidney"))


def _us_heart(exam: Exam, subject: Subject, study: StudyTags) -> Iterator[Dataset]:
    return _us(exam, subject, study, ("heart",))


def _mg(exam: Exam, subject: Subject, study: StudyTags) -> Iterator[Dataset]:
    spacing = 0.16
    build = mammogram.BreastBuild(
        seed=exam.person,
        density=0.15 + exam.person * 13 % 10 / 12,
        size=0.86 + exam.person % 5 * 0.05,
        mass_mm=exam.finding.get("mass_mm", 0.0),
        calcium=bool(exam.finding.get("calcium", 0)),
    )
    for n, (side, position) in enumerate(mammogram.VIEWS, start=1):
        shown = mammogram.view(build, side, position, 1280, 1024, spacing)
        series = Series(n, "MG", f"{side} {position}", "BREAST", 1.0 * n, "Screening")
        yield mg(
            subject, study, series, 1, shown, spacing, exam.coding, side=side, position=position
        )


KINDS: Mapping[str, Callable[[Exam, Subject, StudyTags], Iterator[Dataset]]] = {
    "ct_chest": _ct_chest,
    "ct_abdomen": _ct_abdomen,
    "ct_head": _ct_head,
    "mr_brain": _mr_brain,
    "mr_spine": _mr_spine,
    "xr_chest": _xr_chest,
    "xr_hand": _xr_hand,
    "xr_knee": _xr_knee,
    "us_abdomen": _us_abdomen,
    "us_heart": _us_heart,
    "mg": _mg,
}
