"""What stands on the screen is what the standard says, grey level by grey level."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from tests.factories.dicom import as_file, ct_slice

pytestmark = [pytest.mark.e2e, pytest.mark.peer, pytest.mark.timeout(240)]
WINDOWS = [(40, 400), (-500, 1400), (400, 1800), (40, 80)]


def by_dcmtk(program: Callable[[str], str], file: Path, *options: str) -> np.ndarray:
    """The same image drawn by dcmtk, 8 bit."""
    picture = file.with_suffix(".pnm")
    command = [program("dcmj2pnm"), "--write-raw-pnm", *options, str(file), str(picture)]
    subprocess.run(command, check=True, capture_output=True)
    return np.asarray(Image.open(picture))


def assert_same(shown: np.ndarray, expected: np.ndarray) -> None:
    """Mean difference at most 1 and largest at most 3 grey levels."""
    if expected.ndim == 2:
        expected = np.repeat(expected[:, :, None], 3, axis=2)
    assert shown.shape == expected.shape
    difference = np.abs(shown.astype(int) - expected.astype(int))
    assert (difference.mean() <= 1, difference.max() <= 3) == (True, True), (
        f"mean {difference.mean():.2f}, largest {difference.max()}"
    )


def phantom() -> Dataset:
    """A CT slice from -1024 to 3071 HU, so that every window has both ends and a slope."""
    ds = ct_slice(size=256)
    ramp = np.arange(256 * 256, dtype="<i4").reshape(256, 256) % 4096
    ds.PixelData = ramp.astype("<i2").tobytes()
    ds.PixelRepresentation, ds.BitsStored, ds.HighBit = 0, 12, 11
    return ds


def test_ct_at_several_windows_equals_dcmtk(viewer, store, dcmtk, tmp_path):
    ds = phantom()
    (tmp_path / "ct.dcm").write_bytes(as_file(ds))
    store([ds])
    viewer.open(ds.StudyInstanceUID)
    for center, width in WINDOWS:
        viewer.window(center, width)
        expected = by_dcmtk(dcmtk, tmp_path / "ct.dcm", "+Ww", str(center), str(width))
        assert_same(viewer.pixels(), expected)


def test_the_first_look_is_the_window_of_the_image(viewer, store, dcmtk, tmp_path):
    ds = phantom()
    (tmp_path / "ct.dcm").write_bytes(as_file(ds))
    store([ds])
    state = viewer.open(ds.StudyInstanceUID)
    assert (state["window"]["center"], state["window"]["width"]) == (40, 400)
    assert_same(viewer.pixels(), by_dcmtk(dcmtk, tmp_path / "ct.dcm", "+Wi", "1"))


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_the_other_functions_follow_the_standard(viewer, store, function):
    """Computed here from PS3.3 C.11.2.1.3: dcmtk 3.6.7 draws neither."""
    ds = phantom()
    ds.VOILUTFunction = function
    store([ds])
    state = viewer.open(ds.StudyInstanceUID)
    assert state["window"]["function"] == function
    x = ds.pixel_array.astype(float) - 1024
    if function == "SIGMOID":
        y = 255 / (1 + np.exp(-4 * (x - 40) / 400))
    else:
        y = np.clip((x - 40) / 400 + 0.5, 0, 1) * 255
    assert_same(viewer.pixels(), np.rint(y).astype(np.uint8))


def test_monochrome1_is_inverted_once(viewer, store, dcmtk, tmp_path):
    ds = phantom()
    ds.PhotometricInterpretation = "MONOCHROME1"
    (tmp_path / "cr.dcm").write_bytes(as_file(ds))
    store([ds])
    viewer.open(ds.StudyInstanceUID)
    assert_same(viewer.pixels(), by_dcmtk(dcmtk, tmp_path / "cr.dcm", "+Wi", "1"))


def test_fractional_slopes_are_exact(viewer, store, dcmtk, tmp_path):
    ds = phantom()
    ds.RescaleSlope, ds.RescaleIntercept = "0.37", "-12.5"
    (tmp_path / "pt.dcm").write_bytes(as_file(ds))
    store([ds])
    viewer.open(ds.StudyInstanceUID)
    viewer.window(600, 900)
    assert_same(viewer.pixels(), by_dcmtk(dcmtk, tmp_path / "pt.dcm", "+Ww", "600", "900"))


def test_pixels_are_not_stretched(viewer, store):
    """Two millimetres between rows, one between columns: the picture is twice as tall."""
    ds = ct_slice(size=64, PixelSpacing=[2, 1])
    store([ds])
    viewer.open(ds.StudyInstanceUID)
    (x0, y0), (x1, _), (_, y1) = viewer.point(0, 0), viewer.point(63, 0), viewer.point(0, 63)
    assert (y1 - y0) / (x1 - x0) == pytest.approx(2, rel=1e-3)
    viewer.page.set_viewport_size({"width": 1100, "height": 700})
    viewer.page.wait_for_timeout(200)
    (x0, y0), (x1, _), (_, y1) = viewer.point(0, 0), viewer.point(63, 0), viewer.point(0, 63)
    assert (y1 - y0) / (x1 - x0) == pytest.approx(2, rel=1e-3)


def test_a_real_prior_pair_equals_dcmtk(viewer, store, dcmtk, shared_data, tmp_path):
    folder = shared_data / "dicom" / "prior-study-pair" / "20200705_161127_CT_SR"
    files = sorted((folder / "Kopf_nativ_5.0_H42s").glob("*.dcm"))
    store(files)
    viewer.open(dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    copy = tmp_path / "ct.dcm"
    shown = {dcmread(f, stop_before_pixels=True).SOPInstanceUID: f for f in files}
    copy.write_bytes(shown[viewer.state()["sop"]].read_bytes())
    for center, width in WINDOWS:
        viewer.window(center, width)
        assert_same(viewer.pixels(), by_dcmtk(dcmtk, copy, "+Ww", str(center), str(width)))


def test_file_of_pydicom(viewer, store, dcmtk, tmp_path):
    file = Path(get_testdata_file("CT_small.dcm"))
    copy = tmp_path / "ct.dcm"
    copy.write_bytes(file.read_bytes())
    store([file])
    viewer.open(dcmread(file, stop_before_pixels=True).StudyInstanceUID)
    viewer.window(40, 400)
    assert_same(viewer.pixels(), by_dcmtk(dcmtk, copy, "+Ww", "40", "400"))
