"""Where a presentation state puts an image: cut to its displayed area, stretched, turned, flipped.

What is drawn upon it afterwards knows each image's point in the picture.
Source: PS3.3 C.10.4 (displayed area), C.10.6 (spatial transformation).
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from pydicom import Dataset

from apps.studies.imaging.decode import PresentationError

LARGEST_EDGE = 8192
_CLOCKWISE = {
    90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture, and what leads to its points.

    Attributes:
        of_image: from an image's columns and rows, 0,0 its upper left corner, to the picture's.
        of_area: the same from parts of the displayed area, 0 to 1.
    """

    image: Image.Image
    of_image: np.ndarray
    of_area: np.ndarray

    @classmethod
    def whole(cls, image: Image.Image) -> "Placed":
        """Return an image as it is."""
        return cls(image, np.eye(3), np.diag([image.width, image.height, 1.0]))

    def moved(self, image: Image.Image, matrix: np.ndarray) -> "Placed":
        """Return what a further transformation, which made another picture, makes of this."""
        return Placed(image, matrix @ self.of_image, matrix @ self.of_area)

    def resized(self, width: int, height: int) -> "Placed":
        """Return it in another size."""
        if (width, height) == self.image.size:
            return self
        scale = np.diag([width / self.image.width, height / self.image.height, 1.0])
        return self.moved(self.image.resize((width, height), Image.Resampling.BILINEAR), scale)

    def cut(self, region: tuple[int, int, int, int]) -> "Placed":
        """Return a part of it, turned over where a size is negative (PS3.18 8.3.5.1.3)."""
        x, y, width, height = region
        part = self.image.crop((x, y, x + abs(width), y + abs(height)))
        placed = self.moved(part, _matrix((1, 0, -x), (0, 1, -y)))
        if width < 0:
            placed = placed.flipped()
        return placed.turned(180).flipped() if height < 0 else placed

    def flipped(self) -> "Placed":
        """Return it with left and right exchanged."""
        return self.moved(
            self.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
            _matrix((-1, 0, self.image.width), (0, 1, 0)),
        )

    def turned(self, degrees: int) -> "Placed":
        """Return it turned clockwise by 0, 90, 180 or 270 degrees."""
        if degrees == 0:
            return self
        width, height = self.image.size
        matrix = {
            90: _matrix((0, -1, height), (1, 0, 0)),
            180: _matrix((-1, 0, width), (0, -1, height)),
            270: _matrix((0, 1, 0), (-1, 0, width)),
        }[degrees]
        return self.moved(self.image.transpose(_CLOCKWISE[degrees]), matrix)


def place(image: Image.Image, state: Dataset, area: Dataset | None) -> Placed:
    """Put an image as a presentation state has it.

    In its own pixels, save where these are not square or are to be magnified.

    Args:
        image: the whole of it.
        state: the presentation state.
        area: the item of its displayed areas that is for this image; None for all of the image.

    Raises:
        PresentationError: the state asks for an area or a rotation that cannot be.
    """
    left, top, right, bottom = _edges(image, area)
    part = image.crop((left, top, right, bottom))
    placed = Placed(
        part, _matrix((1, 0, -left), (0, 1, -top)), np.diag([part.width, part.height, 1])
    )
    placed = placed.resized(*_size(part, area))
    degrees = int(state.get("ImageRotation") or 0) % 360
    if degrees % 90:
        message = (
            f"The presentation state turns the image by {degrees} degrees, not by a right angle."
        )
        raise PresentationError(message)
    placed = placed.turned(degrees)
    if state.get("ImageHorizontalFlip") == "Y":
        placed = placed.flipped()
    corners = np.diag([placed.image.width, placed.image.height, 1.0])
    return Placed(placed.image, placed.of_image, corners)


def _edges(image: Image.Image, area: Dataset | None) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the displayed area.

    Its corners are named as they lie after the image was turned, by column and row from 1 of the
    image as it is.
    """
    if area is None or not area.get("DisplayedAreaTopLeftHandCorner"):
        return 0, 0, image.width, image.height
    first = area.DisplayedAreaTopLeftHandCorner
    second = area.get("DisplayedAreaBottomRightHandCorner") or [image.width, image.height]
    columns, rows = (sorted((int(a), int(b))) for a, b in zip(first, second, strict=True))
    if max(columns[1] - columns[0], rows[1] - rows[0]) >= LARGEST_EDGE:
        message = f"The presentation state shows an area of more than {LARGEST_EDGE} pixels a side."
        raise PresentationError(message)
    return columns[0] - 1, rows[0] - 1, columns[1], rows[1]


def _size(image: Image.Image, area: Dataset | None) -> tuple[int, int]:
    """Return width and height with square pixels, magnified where the state says so."""
    if area is None:
        return image.size
    spacing = area.get("PresentationPixelSpacing") or area.get("PresentationPixelAspectRatio")
    vertical, horizontal = (float(one) for one in spacing) if spacing else (1.0, 1.0)
    if min(vertical, horizontal) <= 0:
        vertical = horizontal = 1.0
    ratio = 1.0
    if area.get("PresentationSizeMode") == "MAGNIFY":
        ratio = float(area.get("PresentationPixelMagnificationRatio") or 1)
    shorter = min(vertical, horizontal)
    width = round(image.width * ratio * horizontal / shorter)
    height = round(image.height * ratio * vertical / shorter)
    if not (0 < width <= LARGEST_EDGE and 0 < height <= LARGEST_EDGE):
        message = (
            f"The presentation state makes a picture of more than {LARGEST_EDGE} pixels a side."
        )
        raise PresentationError(message)
    return width, height


def _matrix(x: tuple[float, float, float], y: tuple[float, float, float]) -> np.ndarray:
    """Return what makes new columns and rows: each from column, row and a constant."""
    return np.array([x, y, (0.0, 0.0, 1.0)])
