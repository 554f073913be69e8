"""From stored values to what a screen shows.

Source: PS3.3 C.11.1 (modality), C.11.2 (VOI), C.7.6.3.1.5 (palette); PS3.18 8.3.5 (viewport).
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageDraw
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi

from apps.studies.imaging.decode import Frame
from apps.studies.imaging.lettering import letters
from apps.studies.imaging.placement import Placed

WIDEST_RANGE = 1 << 16
"""From so many integers on, working out each pixel's grey is no more than working out theirs."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window in output units of the modality transformation.

    Attributes:
        function: LINEAR, LINEAR_EXACT or SIGMOID (0028,1056).
    """

    center: float
    width: float
    function: str = "LINEAR"


@dataclass(frozen=True, slots=True)
class Rendering:
    """How to draw.

    Attributes:
        window: None for the image's own, else its whole range.
        viewport: `(width, height)` to fit into, keeping the aspect ratio; None for 1:1.
        media_type: `image/jpeg`, `image/png` or `image/gif`.
        quality: of JPEG, 1 to 100.
        region: `(x, y, width, height)` of the source to show; a negative size turns it over.
        annotations: lines to write into the picture.
        icc: `no`, `yes` (the object's own profile goes with colours), or `srgb` (converted to it).
    """

    window: Window | None = None
    viewport: tuple[int, int] | None = None
    media_type: str = "image/jpeg"
    quality: int = 90
    region: tuple[int, int, int, int] | None = None
    annotations: tuple[str, ...] = ()
    icc: str = "no"


def render_frame(frame: Frame, rendering: Rendering) -> bytes:
    """Draw a frame as JPEG, PNG or GIF."""
    placed = Placed.whole(Image.fromarray(displayed(frame, rendering.window)))
    return encoded(fitted(placed, rendering).image, frame.ds, rendering)


def fitted(placed: Placed, rendering: Rendering) -> Placed:
    """Return the region that is asked for, in the size that is asked for."""
    if rendering.region is not None:
        placed = placed.cut(rendering.region)
    if rendering.viewport is not None:
        width, height = rendering.viewport
        scale = min(width / placed.image.width, height / placed.image.height)
        placed = placed.resized(
            max(1, round(placed.image.width * scale)), max(1, round(placed.image.height * scale))
        )
    return placed


def encoded(image: Image.Image, ds: Dataset, rendering: Rendering) -> bytes:
    """Return a picture as a file, with the lines and the profile that are asked for.

    Args:
        image: the picture, which is written on.
        ds: what holds the profile that its colours are in.
        rendering: how.
    """
    profile = None
    if rendering.icc != "no" and image.mode == "RGB":
        image, profile = _with_profile(image, ds, rendering.icc)
    _annotate(image, rendering.annotations)
    out = io.BytesIO()
    if rendering.media_type == "image/png":
        image.save(out, "PNG", compress_level=3, icc_profile=profile)
    elif rendering.media_type == "image/gif":
        image.save(out, "GIF")
    else:
        image.save(out, "JPEG", quality=rendering.quality, icc_profile=profile)
    return out.getvalue()


def _with_profile(image: Image.Image, ds: Dataset, icc: str) -> tuple[Image.Image, bytes]:
    """Return colours with the profile they are in: the object's (0028,2000), or sRGB."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    own = ds.get("ICCProfile")
    if icc == "yes" or not own:
        return image, own or srgb.tobytes()
    source = ImageCms.ImageCmsProfile(io.BytesIO(own))
    converted = ImageCms.profileToProfile(image, source, srgb)
    return converted or image, srgb.tobytes()


def _annotate(image: Image.Image, lines: tuple[str, ...]) -> None:
    """Write lines into the upper left corner, light with a dark edge."""
    if not lines:
        return
    size = max(8, min(image.height // 24, 28))
    light = 255 if image.mode == "L" else (255, 255, 255)
    dark = 0 if image.mode == "L" else (0, 0, 0)
    ImageDraw.Draw(image).multiline_text(
        (size // 2, size // 2),
        "\n".join(lines),
        fill=light,
        font=letters(size),
        stroke_width=1,
        stroke_fill=dark,
    )


def displayed(frame: Frame, window: Window | None) -> np.ndarray:
    """Return `(rows, columns)` or `(rows, columns, 3)` uint8 as a screen shows it."""
    ds = frame.ds
    if frame.color:
        return _to_bytes(frame.pixels)
    if ds.get("PhotometricInterpretation") == "PALETTE COLOR":
        return _to_bytes(apply_color_lut(frame.pixels, ds))
    shared = _functional_groups(ds, frame.number)
    stored, places = distinct(frame.pixels)
    values = _modality(stored, ds, shared)
    chosen = window or _own_window(ds, shared)
    if chosen is not None:
        grey = windowed(values, chosen)
    elif any(lut.get("LUTDescriptor") for lut in ds.get("VOILUTSequence", [])):
        grey = _stretched(apply_voi(values.astype(np.int64), ds), places)
    else:
        grey = _stretched(values, places)
    if ds.get("PhotometricInterpretation") == "MONOCHROME1" or _inverse(ds):
        grey = 255 - grey
    return grey.take(places)


def distinct(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values to work out the grey of, and the place among them of each pixel's.

    Grey depends on the stored value alone, and an image has far more pixels than values: it is
    worked out for the range of its integers. Others stand each for themselves.
    """
    low, high = pixels.min(), pixels.max()
    if pixels.dtype.kind == "f" or int(high) - int(low) > WIDEST_RANGE:
        return pixels.ravel(), np.arange(pixels.size).reshape(pixels.shape)
    unsigned = pixels.dtype.str.replace("i", "u")  # in which the difference does not overflow
    values = np.arange(int(low), int(high) + 1).astype(pixels.dtype)
    return values, pixels.view(unsigned) - low.astype(unsigned)


def windowed(values: np.ndarray, window: Window) -> np.ndarray:
    """Apply a VOI window to output values and return uint8."""
    return np.rint(255.0 * fraction_in(values, window)).astype(np.uint8)


def fraction_in(values: np.ndarray, window: Window) -> np.ndarray:
    """Return where in a VOI window values lie, from 0 to 1 (PS3.3 C.11.2.1.2 and .3)."""
    center, width = window.center, max(window.width, 1e-6)
    x = values.astype(np.float64)
    if window.function == "SIGMOID":
        y = 1.0 / (1.0 + np.exp(-4.0 * (x - center) / width))
    elif window.function == "LINEAR_EXACT":
        y = (x - center) / width + 0.5
    elif width <= 1:
        y = np.where(x > center - 0.5, 1.0, 0.0)
    else:
        y = (x - (center - 0.5)) / (width - 1) + 0.5
    return np.clip(y, 0.0, 1.0)


def _modality(pixels: np.ndarray, ds: Dataset, groups: Dataset | None) -> np.ndarray:
    if groups is not None and "PixelValueTransformationSequence" in groups:
        item = groups.PixelValueTransformationSequence[0]
        return pixels * float(item.RescaleSlope) + float(item.RescaleIntercept)
    if any(not lut.get("LUTDescriptor") for lut in ds.get("ModalityLUTSequence", [])):
        return pixels  # a table without content transforms nothing
    return apply_modality_lut(pixels, ds)


def _own_window(ds: Dataset, groups: Dataset | None) -> Window | None:
    source = ds
    if groups is not None and "FrameVOILUTSequence" in groups:
        source = groups.FrameVOILUTSequence[0]
    center, width = _first(source.get("WindowCenter")), _first(source.get("WindowWidth"))
    if center is None or not width or width <= 0:
        return None
    return Window(center, width, str(source.get("VOILUTFunction") or "LINEAR"))


def _functional_groups(ds: Dataset, number: int) -> Dataset | None:
    """Merge what an enhanced object says of all frames and of this one (PS3.3 C.7.6.16)."""
    if "SharedFunctionalGroupsSequence" not in ds:
        return None
    merged = Dataset()
    if ds.SharedFunctionalGroupsSequence:
        merged.update(ds.SharedFunctionalGroupsSequence[0])
    per_frame = ds.get("PerFrameFunctionalGroupsSequence", [])
    if number <= len(per_frame):
        merged.update(per_frame[number - 1])
    return merged


def _first(value: Any) -> float | None:
    if value in (None, ""):
        return None
    single = value[0] if hasattr(value, "__len__") and not isinstance(value, str) else value
    return float(single)


def _inverse(ds: Dataset) -> bool:
    return (
        ds.get("PresentationLUTShape") == "INVERSE"
        and ds.get("PhotometricInterpretation") == "MONOCHROME2"
    )


def _stretched(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Spread over the whole range what lies between the least and the greatest value present."""
    present = values.take(places)
    low, high = float(present.min()), float(present.max())
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    return np.rint((values.astype(np.float64) - low) * (255.0 / (high - low))).astype(np.uint8)


def _to_bytes(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    bits = pixels.dtype.itemsize * 8
    return (pixels.astype(np.uint32) >> (bits - 8)).astype(np.uint8)
