"""A picture as a presentation state shows it.

Source: PS3.4 N.2: greys, then shutter and overlays, displayed area and spatial transformation;
annotations upon what comes of it, in the size that was asked for (PS3.18 8.3.5).
"""

import numpy as np
from PIL import Image

from apps.studies.imaging.decode import Frame, PresentationError, decode_frame
from apps.studies.imaging.graphics import annotate
from apps.studies.imaging.placement import Placed, place
from apps.studies.imaging.planes import overlay, shutter
from apps.studies.imaging.presentation import (
    COLOR,
    MALFORMED,
    Referenced,
    first_for,
    presented_pixels,
)
from apps.studies.imaging.render import Rendering, encoded, fitted


def render_referenced(shown: Referenced, rendering: Rendering) -> bytes:
    """Draw what a presentation state shows of a frame, as JPEG, PNG or GIF.

    Args:
        shown: the frame and the state.
        rendering: how; its window does not count, the state has its own.

    Raises:
        UndecodableError: the image cannot be decoded, or the state cannot be drawn upon it.
    """
    return draw(decode_frame(shown.item, shown.number), shown, rendering)


def draw(frame: Frame, shown: Referenced, rendering: Rendering) -> bytes:
    """Draw what a presentation state shows of a frame that is decoded.

    Raises:
        PresentationError: the state asks for what is not drawn here, or is malformed.
    """
    try:
        with np.errstate(invalid="raise", divide="raise", over="ignore"):
            placed = _placed(frame, shown, rendering)
    except MALFORMED as error:
        message = (
            "The presentation state is malformed: an attribute is missing or has a wrong value."
        )
        raise PresentationError(message, reason=repr(error)) from error
    profiled = shown.state if shown.state.SOPClassUID == COLOR else frame.ds
    return encoded(placed.image, profiled, rendering)


def _placed(frame: Frame, shown: Referenced, rendering: Rendering) -> Placed:
    pixels = shutter(presented_pixels(frame, shown), frame, shown)
    pixels = overlay(pixels, frame, shown)
    area = first_for(shown.state, "DisplayedAreaSelectionSequence", shown)
    placed = fitted(place(Image.fromarray(pixels), shown.state, area), rendering)
    annotate(placed, shown)
    return placed
