"""What a presentation state covers an image's pixels with: shutters and overlays.

Source: PS3.3 C.7.6.11 and C.7.6.15 (shutters), C.9.2 (overlays), C.11.7 (their activation).
"""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from pydicom import Dataset
from pydicom.uid import UID

from apps.studies.imaging.decode import Frame, PresentationError
from apps.studies.imaging.graphics import level_of, p_value
from apps.studies.imaging.presentation import Referenced
from apps.studies.retrieve.frames import stored_frame

OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
ROWS, COLUMNS, FRAMES, ORIGIN, FIRST_FRAME = 0x0010, 0x0011, 0x0015, 0x0050, 0x0051
BIT_POSITION, ACTIVATION_LAYER, DATA = 0x0102, 0x1001, 0x3000


def shutter(pixels: np.ndarray, frame: Frame, shown: Referenced) -> np.ndarray:
    """Return pixels covered with the shutter value outside what the state's shutters leave open.

    What several leave open is what lies within each of them.
    """
    state = shown.state
    shapes = state.get("ShutterShape") or []
    shapes = [shapes] if isinstance(shapes, str) else list(shapes)
    if not shapes:
        return pixels
    height, width = pixels.shape[:2]
    rows, columns = np.ogrid[1 : height + 1, 1 : width + 1]
    closed = np.zeros((height, width), bool)
    if "RECTANGULAR" in shapes:
        closed |= (columns < int(state.ShutterLeftVerticalEdge)) | (
            columns > int(state.ShutterRightVerticalEdge)
        )
        closed |= (rows < int(state.ShutterUpperHorizontalEdge)) | (
            rows > int(state.ShutterLowerHorizontalEdge)
        )
    if "CIRCULAR" in shapes:
        row, column = (int(one) for one in state.CenterOfCircularShutter)
        radius = int(state.RadiusOfCircularShutter)
        closed |= (rows - row) ** 2 + (columns - column) ** 2 > radius**2
    if "POLYGONAL" in shapes:
        flat = [int(one) - 1 for one in state.VerticesOfThePolygonalShutter]
        opening = Image.new("1", (width, height))
        corners = list(zip(flat[1::2], flat[0::2], strict=True))
        ImageDraw.Draw(opening).polygon(corners, fill=1, outline=1)
        closed |= ~np.asarray(opening, bool)
    if "BITMAP" in shapes:
        closed |= _bitmap(frame, shown, int(state.ShutterOverlayGroup))
    covered = pixels.copy()
    covered[closed] = p_value(state.get("ShutterPresentationValue"), 0)
    return covered


def overlay(pixels: np.ndarray, frame: Frame, shown: Referenced) -> np.ndarray:
    """Return pixels with the overlays that the state assigns to its layers.

    They are its own, or those of the image that it does not replace.
    """
    for group in OVERLAY_GROUPS:
        if layer := _of(shown.state, group, ACTIVATION_LAYER):
            pixels = pixels.copy()
            pixels[_bitmap(frame, shown, group)] = level_of(shown.state, str(layer))
    return pixels


def _bitmap(frame: Frame, shown: Referenced, group: int) -> np.ndarray:
    """Return where an overlay's bits are set, on an image's pixels."""
    height, width = frame.pixels.shape[:2]
    whole = np.zeros((height, width), bool)
    source = shown.state if (group, DATA) in shown.state else frame.ds
    if (group, DATA) not in source:
        if bit := _of(source, group, BIT_POSITION):
            return _embedded(frame, shown, int(bit))
        return whole  # the state names one that nothing holds
    rows, columns = int(source[group, ROWS].value), int(source[group, COLUMNS].value)
    top, left = (int(one) - 1 for one in source[group, ORIGIN].value)
    place = 0
    if int(_of(source, group, FRAMES) or 1) > 1:
        place = frame.number - int(_of(source, group, FIRST_FRAME) or 1)
    bits = np.unpackbits(np.frombuffer(source[group, DATA].value, np.uint8), bitorder="little")
    bits = bits[place * rows * columns :][: rows * columns] if place >= 0 else bits[:0]
    if bits.size < rows * columns:
        if place:
            return whole  # this frame has none
        message = "An overlay is cut short that the presentation state shows."
        raise PresentationError(message)
    plane = bits.reshape(rows, columns).astype(bool)[max(-top, 0) :, max(-left, 0) :]
    top, left = max(top, 0), max(left, 0)
    plane = plane[: max(height - top, 0), : max(width - left, 0)]
    whole[top : top + plane.shape[0], left : left + plane.shape[1]] = plane
    return whole


def _embedded(frame: Frame, shown: Referenced, bit: int) -> np.ndarray:
    """Return an overlay that lies in unused bits of the pixels, as old images have it."""
    if UID(shown.item.transfer_syntax_uid).is_encapsulated or frame.color:
        message = "An overlay that the presentation state shows lies in compressed pixels."
        raise PresentationError(message)
    words = np.frombuffer(
        stored_frame(shown.item, shown.number), f"<u{int(frame.ds.BitsAllocated) // 8}"
    )
    height, width = frame.pixels.shape[:2]
    return (words[: height * width].reshape(height, width) >> bit & 1).astype(bool)


def _of(ds: Dataset, group: int, number: int) -> Any:
    return ds[group, number].value if (group, number) in ds else None
