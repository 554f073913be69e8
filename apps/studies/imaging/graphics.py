"""What a presentation state draws and writes upon a picture.

Source: PS3.3 C.10.5 (graphic annotation), C.10.7 (graphic layers).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import ImageDraw
from pydicom import Dataset

from apps.studies.imaging.decode import PresentationError
from apps.studies.imaging.lettering import letters
from apps.studies.imaging.placement import Placed
from apps.studies.imaging.presentation import Referenced, concerns

WHITE = 0xFFFF
SEGMENTS = 96
"""Straight pieces of a circle, and of each stretch of an interpolated line."""
MARK = 5
"""Half the size in pixels of a point's cross."""
Point = tuple[float, float]


def annotate(placed: Placed, shown: Referenced) -> None:
    """Draw the annotations for a frame upon it, layer after layer, each with an edge to be seen."""
    state = shown.state
    order = {
        str(layer.get("GraphicLayer")): int(layer.get("GraphicLayerOrder") or 0)
        for layer in state.get("GraphicLayerSequence", [])
    }
    parts = [
        part
        for part in state.get("GraphicAnnotationSequence", [])
        if concerns(part, shown.item.sop_instance_uid, shown.number)
    ]
    for part in sorted(parts, key=lambda part: order.get(str(part.get("GraphicLayer")), 0)):
        pen = _Pen(placed, level_of(state, str(part.get("GraphicLayer"))))
        for graphic in part.get("GraphicObjectSequence", []):
            pen.graphic(graphic)
        for text in part.get("TextObjectSequence", []):
            pen.text(text)


class _Pen:
    """Draws in one grey."""

    def __init__(self, placed: Placed, level: int) -> None:
        self.placed = placed
        self.draw = ImageDraw.Draw(placed.image)
        self.width = max(1, min(placed.image.size) // 512)
        colors = placed.image.mode != "L"
        edge = 0 if level >= 128 else 255
        self.fill: int | tuple[int, ...] = (level,) * 3 if colors else level
        self.edge: int | tuple[int, ...] = (edge,) * 3 if colors else edge

    def points(self, units: str, numbers: Sequence[float]) -> list[Point]:
        """Return the picture's points of pairs of column and row (PS3.3 C.10.5.1.2)."""
        matrices = {"PIXEL": self.placed.of_image, "DISPLAY": self.placed.of_area}
        if units not in matrices:
            message = (
                f"The presentation state has annotations in units of {units}, which are not drawn."
            )
            raise PresentationError(message)
        flat = np.asarray(numbers, float).reshape(-1, 2)
        moved = np.column_stack([flat, np.ones(len(flat))]) @ matrices[units].T
        return [(float(x), float(y)) for x, y, _ in moved]

    def graphic(self, graphic: Dataset) -> None:
        units, kind = str(graphic.get("GraphicAnnotationUnits")), str(graphic.get("GraphicType"))
        numbers = [float(one) for one in graphic.GraphicData]
        if kind == "POINT":
            [(x, y)] = self.points(units, numbers)
            self._line([(x - MARK, y), (x + MARK, y)])
            self._line([(x, y - MARK), (x, y + MARK)])
            return
        if kind not in _OUTLINES:
            message = f"The presentation state has graphics of type {kind}, which are not drawn."
            raise PresentationError(message)
        line = self.points(units, [one for point in _OUTLINES[kind](numbers) for one in point])
        if graphic.get("GraphicFilled") == "Y":
            self.draw.polygon(line, fill=self.fill)
        self._line(line)

    def text(self, text: Dataset) -> None:
        """Write into the bounding box, with a line from its anchor; without a box at the anchor."""
        words = str(text.get("UnformattedTextValue", "")).replace("\r\n", "\n").replace("\r", "\n")
        anchor = None
        if text.get("AnchorPoint"):
            units = str(text.get("AnchorPointAnnotationUnits"))
            [anchor] = self.points(units, text.AnchorPoint)
        if text.get("BoundingBoxTopLeftHandCorner"):
            units = str(text.get("BoundingBoxAnnotationUnits"))
            corners = [*text.BoundingBoxTopLeftHandCorner, *text.BoundingBoxBottomRightHandCorner]
            first, second = self.points(units, corners)
            (left, right), (top, bottom) = (
                sorted(edges) for edges in zip(first, second, strict=True)
            )
            lines = words.count("\n") + 1
            size = max(10, min(round((bottom - top) / lines * 0.8), 48))
            align = str(text.get("BoundingBoxTextHorizontalJustification") or "LEFT").lower()
            if anchor is not None and text.get("AnchorPointVisibility") == "Y":
                self._line([anchor, ((left + right) / 2, (top + bottom) / 2)])
        elif anchor is not None:
            (left, top), right = anchor, anchor[0]
            size, align = max(10, min(self.placed.image.height // 24, 28)), "left"
        else:
            message = "The presentation state has a text without a place."
            raise PresentationError(message)
        _, _, width, _ = self.draw.multiline_textbbox((0, 0), words, font=letters(size))
        left += {"left": 0.0, "center": 0.5, "right": 1.0}.get(align, 0.0) * (right - left - width)
        self.draw.multiline_text(
            (left, top), words, fill=self.fill, font=letters(size), align=align,
            stroke_width=1, stroke_fill=self.edge,
        )  # fmt: skip

    def _line(self, points: Sequence[Point]) -> None:
        self.draw.line(points, fill=self.edge, width=self.width + 2, joint="curve")
        self.draw.line(points, fill=self.fill, width=self.width, joint="curve")


def _polyline(numbers: Sequence[float]) -> Iterator[Point]:
    yield from zip(numbers[0::2], numbers[1::2], strict=True)


def _circle(numbers: Sequence[float]) -> Iterator[Point]:
    """Centre, and a point of the circumference."""
    x, y, edge_x, edge_y = numbers
    radius = float(np.hypot(edge_x - x, edge_y - y))
    for angle in np.linspace(0, 2 * np.pi, SEGMENTS + 1):
        yield x + radius * float(np.cos(angle)), y + radius * float(np.sin(angle))


def _ellipse(numbers: Sequence[float]) -> Iterator[Point]:
    """The ends of the major axis, then those of the minor axis."""
    ends = np.asarray(numbers, float).reshape(4, 2)
    center = (ends[0] + ends[1]) / 2
    major, minor = (ends[1] - ends[0]) / 2, (ends[3] - ends[2]) / 2
    for angle in np.linspace(0, 2 * np.pi, SEGMENTS + 1):
        x, y = center + major * np.cos(angle) + minor * np.sin(angle)
        yield float(x), float(y)


def _interpolated(numbers: Sequence[float]) -> Iterator[Point]:
    """A smooth line through the points (a Catmull-Rom spline; the standard leaves it open)."""
    points = np.asarray(numbers, float).reshape(-1, 2)
    if len(points) < 3:
        yield from _polyline(numbers)
        return
    closed = bool((points[0] == points[-1]).all())
    before = points[-2] if closed else points[0]
    after = points[1] if closed else points[-1]
    padded = np.vstack([before, points, after])
    steps = np.linspace(0, 1, SEGMENTS // 6, endpoint=False)[:, None]
    for p, q, r, s in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        cubic = 2 * q + (r - p) * steps + (2 * p - 5 * q + 4 * r - s) * steps**2
        cubic += (3 * q - p - 3 * r + s) * steps**3
        yield from ((float(x), float(y)) for x, y in cubic / 2)
    yield float(points[-1][0]), float(points[-1][1])


_OUTLINES = {
    "POLYLINE": _polyline,
    "INTERPOLATED": _interpolated,
    "CIRCLE": _circle,
    "ELLIPSE": _ellipse,
}


def level_of(state: Dataset, name: str) -> int:
    """Return the grey, 0 to 255, that a graphic layer is to be shown in."""
    for layer in state.get("GraphicLayerSequence", []):
        if layer.get("GraphicLayer") == name:
            return p_value(layer.get("GraphicLayerRecommendedDisplayGrayscaleValue"), WHITE)
    return p_value(None, WHITE)


def p_value(value: object, default: int) -> int:
    """Return the grey, 0 to 255, of a P-value of 16 bits."""
    return int(default if value is None else value) >> 8  # type: ignore[call-overload]
