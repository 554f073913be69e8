"""Every transfer syntax: decoded in the browser, drawn by the server, or a tile that says so.

All files go into one study as series of their own, so that one page shows them one after another.
"""

import json
import os
import subprocess
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from apps.core.uids import new_uid
from tests.viewer.conftest import file_bytes

pytestmark = [pytest.mark.e2e, pytest.mark.peer, pytest.mark.timeout(900)]
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
# Not storable as they are: no SOP class, no data set that pydicom could write again.
MOST_BYTES = 8 << 20


def readable(files: Iterable[Path]) -> list[tuple[Path, Dataset]]:
    """The files that are DICOM objects with a class, read whole."""
    found = []
    for file in files:
        if not file.is_file() or file.stat().st_size > MOST_BYTES:
            continue
        try:
            ds = dcmread(file)
            usable = "SOPClassUID" in ds and "TransferSyntaxUID" in ds.file_meta
        except (InvalidDicomError, AttributeError, EOFError, NotImplementedError, ValueError):
            continue
        if usable and ds.SOPClassUID != "1.2.840.10008.1.3.10":  # a DICOMDIR is no object
            found.append((file, ds))
    return found


def kind_of(ds: Dataset) -> tuple[Any, ...]:
    """What makes a file another case: the class where it has no pixels, else its pixels' form."""
    if "Rows" not in ds:
        return (ds.SOPClassUID,)
    syntax = ds.file_meta.TransferSyntaxUID
    frames = str(ds.get("NumberOfFrames") or "1") != "1"
    form = [ds.get(k) for k in ("PhotometricInterpretation", "BitsAllocated", "BitsStored")]
    return (syntax, ds.get("PixelRepresentation"), frames, *form)


def overlaid(ds: Dataset) -> bool:
    """Whether planes of group 60xx are drawn over the pixels, in a colour of our own."""
    return any(0x6000 <= tag.group <= 0x601E for tag in ds.keys())  # noqa: SIM118 - not its values


def as_series(number: int, ds: Dataset, study: str) -> tuple[str, bytes] | None:
    """The object as one series of our study, its pixels untouched; None where pydicom cannot."""
    ds.PatientID, ds.PatientName = "P1", "Marlowe^June"
    ds.pop("IssuerOfPatientID", None)
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = study, new_uid(), new_uid()
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.SeriesNumber, ds.StudyDate, ds.AccessionNumber = number, "20261120", ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ds.SOPInstanceUID, file_bytes(ds)
    except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError):
        return None


def drawn_by_dcmtk(program: str, file: Path, window: dict[str, Any]) -> np.ndarray | None:
    """The first frame by dcmtk; what it cannot decode is decoded by pydicom's plug-ins first."""
    picture = file.with_suffix(".pnm")
    options = ["--write-raw-pnm", "+Ww", str(window["center"]), str(window["width"])]

    def draw() -> bool:
        command = [program, *options, str(file), str(picture)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if not draw():
        ds = dcmread(file)
        try:
            ds.decompress()
        except (RuntimeError, NotImplementedError, AttributeError, ValueError):
            return None
        for _ in ds:  # read each element, so that what came as UN is written under its own VR
            pass
        ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"  # dcmtk goes by it
        ds.save_as(file)
        if not draw():
            return None
    return np.asarray(Image.open(picture))


def sweep(viewer, store, dcmtk, folder: Path, files: Iterable[Path]) -> list[dict[str, Any]]:
    """Show one file of each kind, and say how each was shown and how far it is from dcmtk."""
    study = new_uid()
    named: dict[str, tuple[Path, Dataset]] = {}
    seen: set[tuple[Any, ...]] = set()
    for number, (file, ds) in enumerate(readable(files), 1):
        kind = kind_of(ds)
        if kind in seen:
            continue
        made = as_series(number, ds, study)
        if made is None:
            continue
        seen.add(kind)
        sop, content = made
        named[sop] = (file, ds)
        (folder / f"{sop}.dcm").write_bytes(content)
    store(folder / f"{sop}.dcm" for sop in named)
    viewer.page.set_viewport_size({"width": 1600, "height": 1200})
    viewer.open(study)
    sets = viewer.loaded(len(named))
    by_sop = {one["sops"][0]: one for one in sets}
    assert set(by_sop) == set(named), "a file has no display set"
    rows = []
    for sop, (file, ds) in named.items():
        state = viewer.ask("(v, id) => v.show(0, id)", by_sop[sop]["id"])
        row = {
            "file": file.name,
            "syntax": str(ds.file_meta.TransferSyntaxUID),
            "class": ds.SOPClassUID.name,
            "pixels": " ".join(str(ds.get(k, "")) for k in ("PhotometricInterpretation",)),
            "bits": ds.get("BitsStored", ""),
            "shown": "tile" if state["kind"] == "object" else (state["source"] or {}).get("by"),
            "error": state["error"],
            "why": (state["source"] or {}).get("reason", ""),
        }
        plain = ds.get("SamplesPerPixel") == 1 and row["pixels"].startswith("MONOCHROME")
        fits = plain and ds.Rows < 1150 and ds.Columns < 1000 and state["window"]
        if row["shown"] == "browser" and fits and not overlaid(ds):
            whole = {k: round(v, 2) for k, v in state["window"].items() if k in ("center", "width")}
            viewer.window(whole["center"], whole["width"])
            expected = drawn_by_dcmtk(dcmtk("dcmj2pnm"), folder / f"{sop}.dcm", whole)
            if expected is not None and viewer.one_to_one()["matrix"]["d"] == 1:
                shown = viewer.pixels()[:, :, 0]
                difference = np.abs(shown.astype(int) - expected.astype(int))
                row["mean"], row["largest"] = (
                    round(float(difference.mean()), 2),
                    int(difference.max()),
                )
        rows.append(row)
    report = os.environ.get("ISOCENTER_VIEWER_TABLE")
    if report:
        with Path(report).open("a") as out:
            out.writelines(f"{json.dumps(row)}\n" for row in rows)
    return rows


def check(viewer, rows: list[dict[str, Any]]) -> None:
    """Nothing is invisible, and what was decoded here is within a grey level of dcmtk."""
    # A file that nobody can draw is answered so; the browser's console says it too.
    viewer.complaints = [c for c in viewer.complaints if "Failed to load resource" not in c]
    for row in rows:
        assert row["shown"] in {"browser", "server", "tile"} or row["error"], row
        if "mean" in row:
            assert row["mean"] <= 1, row
            assert row["largest"] <= 3, row


def test_files_of_pydicom(viewer, store, dcmtk, tmp_path):
    rows = sweep(viewer, store, dcmtk, tmp_path, sorted(PYDICOM_FILES.glob("*.dcm")))
    check(viewer, rows)
    assert len(rows) > 30
    assert [row for row in rows if row["error"]] == []


@pytest.mark.prove
def test_shared_files(viewer, store, dcmtk, tmp_path, shared_data):
    folder = shared_data / "dicom"
    names = sorted(p.name for p in folder.iterdir() if p.is_dir())
    files = [f for name in names for f in sorted((folder / name).rglob("*"))]
    rows = sweep(viewer, store, dcmtk, tmp_path, files)
    check(viewer, rows)
    assert len({row["syntax"] for row in rows}) > 20
