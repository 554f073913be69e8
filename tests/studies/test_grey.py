"""Grey values worked out by value rather than by pixel, beside pydicom's way pixel by pixel."""

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi, apply_windowing

from apps.core.recent import RecentBytes
from apps.studies.imaging.decode import Frame
from apps.studies.imaging.render import Window, displayed


def header(kind: np.dtype, **attributes: object) -> Dataset:
    ds = Dataset()
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = kind.itemsize * 8
    ds.PixelRepresentation = int(kind.kind == "i")
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def some_pixels(kind: str, bits: int) -> np.ndarray:
    low = -(1 << (bits - 1)) if kind[1] == "i" else 0
    shape = (64, 48)
    values = np.random.default_rng(5).integers(low, low + (1 << bits), shape, dtype=np.int64)
    values[0, :2] = low, low + (1 << bits) - 1
    return values.astype(kind)


def spread(values: np.ndarray) -> np.ndarray:
    values = values.astype(float)
    return (values - values.min()) / np.ptp(values) * 255.0


def assert_near(grey: np.ndarray, exact: np.ndarray) -> None:
    assert np.abs(grey - exact).max() < 0.501  # rounded, no more
    assert np.ptp(grey) == 255


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("<i2", 12), ("<i2", 16), ("<u2", 16), (">i2", 12), ("|u1", 8), ("<i4", 24), ("<u4", 32)],
)
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_a_window_gives_each_pixel_what_pydicom_gives_it(kind, bits, function):
    pixels = some_pixels(kind, bits)
    span = 2 << bits
    center = 2 * (int(pixels.min()) + (1 << (bits - 1))) - 1024
    ds = header(
        pixels.dtype, RescaleSlope=2, RescaleIntercept=-1024, VOILUTFunction=function,
        WindowCenter=center, WindowWidth=span // 8,
    )  # fmt: skip
    expected = spread(apply_windowing(apply_modality_lut(pixels, ds), ds))
    plain = displayed(Frame(pixels, ds, 1), None)
    assert_near(plain, expected)
    ds.PhotometricInterpretation = "MONOCHROME1"
    turned = displayed(Frame(pixels, ds, 1), Window(center, span // 8, function))
    assert np.array_equal(turned, 255 - plain)


def test_what_no_window_cuts_is_spread_between_the_values_that_are_there():
    table = Dataset()
    table.LUTDescriptor = [256, 0, 16]
    table.LUTData = [65535, *range(100, 354), 0]  # the ends of the table are not in the image
    pixels = np.arange(10, 130, dtype="<u2").reshape(10, 12)
    pixels[0, 0] = 240
    plain = header(pixels.dtype)
    assert_near(displayed(Frame(pixels, plain, 1), None), spread(pixels))
    curved = header(pixels.dtype, VOILUTSequence=[table])
    assert_near(displayed(Frame(pixels, curved, 1), None), spread(apply_voi(pixels, curved)))
    table.LUTData = [*range(100, 150), 60_000, *range(150, 355)]
    gap = pixels.copy()
    gap[gap == 50] = 51
    assert_near(displayed(Frame(gap, curved, 1), None), spread(apply_voi(gap, curved)))
    flat = np.full((4, 4), 7, "<u2")
    assert not displayed(Frame(flat, plain, 1), None).any()
    fractions = np.linspace(-1, 1, 64, dtype="<f4").reshape(8, 8)
    assert_near(displayed(Frame(fractions, plain, 1), None), spread(fractions))


def test_recent_bytes_forget_what_was_not_asked_for_longest():
    recent = RecentBytes(40)
    for key in "abcd":
        recent.put(key, key.encode() * 10)
    assert recent.get("a") == b"a" * 10
    recent.put("e", b"e" * 10)
    recent.put("large", b"-" * 11)
    recent.put("a", b"A")
    assert [recent.get(key) for key in ("a", "b", "e", "large")] == [b"A", None, b"e" * 10, None]
    recent.put("f", b"f" * 9)
    assert recent.get("c") == b"c" * 10
