"""Drawing in millimetres on a float image, with noise that has the grain of a scanner."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]
Keys = Sequence[tuple[float, float]]

_CURVE_STEPS = 8
_T = np.linspace(0, 1, _CURVE_STEPS, endpoint=False)
_CATMULL_ROM = np.stack(
    [
        -0.5 * _T + _T**2 - 0.5 * _T**3,
        1 - 2.5 * _T**2 + 1.5 * _T**3,
        0.5 * _T + 2 * _T**2 - 1.5 * _T**3,
        -0.5 * _T**2 + 0.5 * _T**3,
    ],
    axis=1,
)


def key(at: float, pairs: Keys) -> float:
    """Interpolate a table of (position, value); positions may fall or rise."""
    table = sorted(pairs)
    return float(np.interp(at, [p for p, _ in table], [v for _, v in table]))


def smooth(points: Any) -> Points:
    """Return a closed smooth curve (Catmull-Rom) through points given as (n, 2) mm."""
    p = np.asarray(points, dtype=float)
    quads = np.stack([np.roll(p, 1, 0), p, np.roll(p, -1, 0), np.roll(p, -2, 0)], axis=1)
    return np.einsum("tk,nkd->ntd", _CATMULL_ROM, quads).reshape(-1, 2)


def superellipse(
    cx: float, cy: float, rx: float, ry: float, power: float = 2.0, steps: int = 72
) -> Points:
    """Return the outline of a superellipse; `power` above 2 is boxier."""
    t = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    x = np.sign(c) * np.abs(c) ** (2 / power)
    y = np.sign(s) * np.abs(s) ** (2 / power)
    return np.stack([cx + rx * x, cy + ry * y], axis=1)


def mirrored(points: Any, side: int) -> Points:
    """Return points with x multiplied by `side` (-1 patient right, +1 patient left)."""
    return np.asarray(points, dtype=float) * np.array([side, 1.0])


class Canvas:
    """A float image drawn in mm, `supersample` times finer than what is read out.

    Args:
        rows: height of the result in pixels.
        cols: width of the result in pixels.
        spacing_mm: distance of two pixel centres.
        origin_mm: (x, y) of the centre of the first pixel.
        background: value everywhere before drawing.
        supersample: drawn pixels per result pixel and direction.
    """

    def __init__(
        self,
        rows: int,
        cols: int,
        spacing_mm: float,
        origin_mm: tuple[float, float],
        background: float = 0.0,
        supersample: int = 2,
    ) -> None:
        self.rows, self.cols, self.supersample = rows, cols, supersample
        self.scale = supersample / spacing_mm
        self.origin = np.array(origin_mm) - spacing_mm / 2
        self.image = Image.new("F", (cols * supersample, rows * supersample), background)
        self.draw = ImageDraw.Draw(self.image)

    def to_px(self, points: Any) -> Points:
        """Return drawn-pixel positions of points in mm."""
        return (np.asarray(points, dtype=float) - self.origin) * self.scale

    def polygon(self, points: Any, value: float) -> None:
        """Fill a closed outline as it is."""
        self.draw.polygon(self.to_px(points).ravel().tolist(), fill=value)

    def blob(self, points: Any, value: float) -> None:
        """Fill the smooth curve through the points."""
        self.polygon(smooth(points), value)

    def ellipse(
        self, cx: float, cy: float, rx: float, ry: float, value: float, turn: float = 0.0
    ) -> None:
        """Fill an ellipse turned by `turn` radians."""
        if rx <= 0 or ry <= 0:
            return
        if turn:
            t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
            x, y = rx * np.cos(t), ry * np.sin(t)
            c, s = np.cos(turn), np.sin(turn)
            self.polygon(np.stack([cx + c * x - s * y, cy + s * x + c * y], axis=1), value)
            return
        (x0, y0), (x1, y1) = self.to_px([(cx - rx, cy - ry), (cx + rx, cy + ry)])
        self.draw.ellipse((x0, y0, x1, y1), fill=value)

    def stroke(self, points: Any, width_mm: float, value: float, *, curve: bool = True) -> None:
        """Draw a line of a width in mm through the points."""
        px = self.to_px(points)
        if curve and len(px) > 2:
            px = open_curve(px)
        width = max(1, round(width_mm * self.scale))
        joint = "curve" if len(px) > 2 and width > 3 else None
        self.draw.line(px.ravel().tolist(), fill=value, width=width, joint=joint)
        if width > 3:
            r = width / 2 - 0.5
            for x, y in (px[0], px[-1]):
                self.draw.ellipse((x - r, y - r, x + r, y + r), fill=value)

    def array(self) -> Floats:
        """Return the image at its own resolution, (rows, cols) float32."""
        image = self.image if self.supersample == 1 else self.image.reduce(self.supersample)
        return np.array(image, dtype=np.float32)


def open_curve(px: Points) -> Points:
    """Return a smooth open curve through points, first and last included."""
    padded = np.concatenate([px[:1], px, px[-1:]])
    quads = np.stack([padded[:-3], padded[1:-2], padded[2:-1], padded[3:]], axis=1)
    curve = np.einsum("tk,nkd->ntd", _CATMULL_ROM, quads).reshape(-1, 2)
    return np.concatenate([curve, px[-1:]])


def blur(image: Floats, times: int = 1) -> Floats:
    """Smooth with the kernel 1 2 1 in both directions, `times` times."""
    for _ in range(times):
        padded = np.pad(image, 1, mode="edge")
        rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
        image = (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) * np.float32(1 / 16)
    return image


def box_blur(image: Floats, radius: int) -> Floats:
    """Smooth over about 2 * radius + 1 pixels: shrink and enlarge again, wide and cheap."""
    if radius < 1:
        return image
    if radius < 4:
        return blur(image, radius * radius)
    rows, cols = image.shape
    step = max(2, round(radius / 3))
    small = np.asarray(Image.fromarray(image).reduce(step), dtype=np.float32)
    soft = blur(small, max(1, round(1.1 * (radius / step) ** 2)))
    wide = Image.fromarray(soft).resize(
        (cols, rows), Image.Resampling.BICUBIC, box=(0, 0, cols / step, rows / step)
    )
    return np.asarray(wide, dtype=np.float32)


def _cubic_weights(count: int, wavelength: float, offset: float) -> tuple[Floats, int]:
    position = np.arange(count) / wavelength + offset
    cell = np.floor(position).astype(int)
    t = position - cell
    weights = np.zeros((count, cell[-1] + 4), dtype=np.float32)
    rows = np.arange(count)
    spline = (
        (1 - t) ** 3 / 6,
        (3 * t**3 - 6 * t**2 + 4) / 6,
        (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
        t**3 / 6,
    )
    for k, w in enumerate(spline):
        weights[rows, cell + k] = w
    return weights, weights.shape[1]


def smooth_noise(
    rng: np.random.Generator, shape: Sequence[int], wavelengths: Sequence[float]
) -> Floats:
    """Return noise of mean 0 and about unit deviation that changes over `wavelengths` pixels.

    Works in two and three dimensions: random values on a coarse grid, cubic B-splines between.
    """
    weights = [
        _cubic_weights(n, w, float(rng.random())) for n, w in zip(shape, wavelengths, strict=True)
    ]
    field = rng.standard_normal([n for _, n in weights]).astype(np.float32)
    for axis, (matrix, _) in enumerate(weights):
        field = np.moveaxis(np.tensordot(matrix, field, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(field) * np.float32(1.45 ** len(weights))


def fractal(
    rng: np.random.Generator, shape: Sequence[int], wavelength: float, octaves: int = 4
) -> Floats:
    """Return two-dimensional noise of several scales, each finer one half as strong."""
    total = np.zeros(tuple(shape), dtype=np.float32)
    strength = np.float32(1.0)
    for _ in range(octaves):
        total += strength * smooth_noise(rng, shape, (wavelength, wavelength))
        wavelength /= 2
        strength *= np.float32(0.5)
        if wavelength < 1.5:
            break
    return total


class Grain:
    """Scanner noise: a few correlated fields, turned and shifted anew for each slice."""

    def __init__(self, rng: np.random.Generator, size: int, *, softness: int = 1) -> None:
        self.rng = rng
        fields = []
        for _ in range(2):
            field = rng.standard_normal((size, size)).astype(np.float32)
            field = blur(field, softness)
            fields.append(field / field.std())
        self.fields = fields

    def field(self, shape: tuple[int, int]) -> Floats:
        """Return one field of unit deviation, (rows, cols)."""
        field = self.fields[int(self.rng.integers(len(self.fields)))]
        shift = self.rng.integers(field.shape[0], size=2)
        turned = np.rot90(field, int(self.rng.integers(4)))
        return np.roll(turned, (int(shift[0]), int(shift[1])), (0, 1))[: shape[0], : shape[1]]
