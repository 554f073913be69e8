"""Mammograms in four views: skin, fat, gland, muscle, vessels; both sides of one person alike."""

from dataclasses import dataclass

import numpy as np

from apps.demo.phantoms.canvas import (
    Canvas,
    Floats,
    blur,
    box_blur,
    fractal,
    open_curve,
    smooth_noise,
)

VIEWS = (("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO"))


@dataclass(frozen=True)
class BreastBuild:
    """What makes one pair of breasts differ from another; the mass is in the left one."""

    seed: int
    density: float = 0.5
    size: float = 1.0
    mass_mm: float = 0.0
    calcium: bool = False


def view(
    build: BreastBuild, side: str, position: str, rows: int, cols: int, spacing: float
) -> Floats:
    """Return one view, (rows, cols) float32 between 0 and 1, chest wall at its edge.

    The left breast looks to the right of the picture; the right one is drawn as a left and turned.
    """
    rng = np.random.default_rng(build.seed * 4 + (position == "MLO") * 2 + (side == "R"))
    shape = (rows, cols)
    centre = (0.0, rows * spacing * (0.50 if position == "CC" else 0.54))
    depth, half = cols * spacing * 0.80 * build.size, rows * spacing * 0.40 * build.size

    def sheet() -> Canvas:
        return Canvas(rows, cols, spacing, (spacing / 2, spacing / 2), 0.0, supersample=1)

    outline = sheet()
    t = np.linspace(-np.pi / 2, np.pi / 2, 80)
    sag = 1 + (0.10 * np.sin(t) if position == "MLO" else 0 * t)
    curve = [
        (depth * np.cos(a) ** 0.82 * s, centre[1] + half * np.sin(a))
        for a, s in zip(t, sag, strict=True)
    ]
    if position == "MLO":
        tail = [(depth * 0.66, -40.0), (depth * 0.57, centre[1] - half * 1.12)]
        outline.polygon(
            [(-5, -40), *open_curve(np.array([*tail, *curve[20:]])), (-5, centre[1] + half)], 1.0
        )
    else:
        outline.polygon([(-5, centre[1] - half), *curve, (-5, centre[1] + half)], 1.0)
    inside = outline.array()
    thick = np.clip(box_blur(inside, round(7 / spacing)) * 2 - 1, 0, 1) ** 0.55 * inside
    skin = inside * np.clip(1 - box_blur(inside, round(1.6 / spacing)), 0, 1) * 1.5
    nipple = sheet()
    nipple.ellipse(depth * (0.99 if position == "CC" else 1.0), centre[1], 3.4, 3.8, 0.26)
    gland_mask = sheet()
    reach = 0.62 + 0.40 * build.density
    gland_mask.blob([(depth * (0.80 - 0.55 * reach), centre[1] - half * reach * 0.72),
                     (depth * 0.62, centre[1] - half * reach * 0.62), (depth * 0.97, centre[1]),
                     (depth * 0.60, centre[1] + half * reach * 0.55),
                     (depth * (0.72 - 0.5 * reach), centre[1] + half * reach * 0.6),
                     (depth * (0.52 - 0.3 * reach), centre[1])], 1.0)  # fmt: skip
    where = box_blur(gland_mask.array(), round(6 / spacing))
    cloud = fractal(rng, shape, 13 / spacing, 5)
    cloud = (cloud - cloud.mean()) / cloud.std()
    gland = where * np.clip(0.45 + 0.34 * cloud + 0.30 * build.density, 0.05, 1.15)
    lace = np.abs(fractal(rng, shape, 9 / spacing, 4))
    septa = np.clip(0.30 - lace, 0, 1) * 0.55 * thick
    image = thick * 0.27 + skin * 0.28 + gland * 0.50 * thick + septa * 0.45 + nipple.array()
    image += _ducts(sheet(), rng, depth, half, centre) * thick
    if position == "MLO":
        image = image + _muscle(sheet(), rng, rows, cols, spacing, inside)
    image = image + _findings(sheet(), build, rng, side, position, depth, half, centre, spacing)
    mottle = blur(rng.standard_normal(shape, dtype=np.float32)) * 0.022
    fine = smooth_noise(rng, shape, (2.2, 2.2)) * 0.012
    shown = np.clip(image * 0.92 + (mottle + fine) * np.maximum(inside, 0.0), 0, 1)
    if side == "R":
        shown = shown[:, ::-1]
    return np.ascontiguousarray(shown, dtype=np.float32)


def _ducts(
    canvas: Canvas, rng: np.random.Generator, depth: float, half: float, centre: tuple[float, float]
) -> Floats:
    for k in range(9):
        angle = (k - 4) * 0.24 + rng.normal() * 0.05
        points = [(depth * 0.97, centre[1])]
        for step in range(1, 6):
            wander = rng.normal() * half * 0.03
            points.append(
                (
                    depth * (0.97 - 0.13 * step),
                    centre[1] + np.sin(angle) * half * 0.24 * step + wander,
                )
            )
        canvas.stroke(points, 0.9, 0.06)
    for _ in range(3):
        y = centre[1] + rng.uniform(-0.7, 0.7) * half
        points = [
            (
                depth * (0.05 + 0.16 * s),
                y + rng.normal() * half * 0.022 + (centre[1] - y) * 0.09 * s,
            )
            for s in range(6)
        ]
        canvas.stroke(points, rng.uniform(0.9, 1.7), 0.10)
    return blur(canvas.array(), 2)


def _muscle(
    canvas: Canvas, rng: np.random.Generator, rows: int, cols: int, spacing: float, inside: Floats
) -> Floats:
    tall, wide = rows * spacing, cols * spacing
    canvas.blob([(-12, -30), (wide * 0.56, -24), (wide * 0.36, tall * 0.22), (wide * 0.12,
        tall * 0.50),
                 (-8, tall * 0.60)], 0.27)  # fmt: skip
    stripes = 1 + 0.06 * smooth_noise(rng, (rows, cols), (42, 5))
    return box_blur(canvas.array(), round(1.2 / spacing)) * stripes * inside


def _findings(
    canvas: Canvas, build: BreastBuild, rng: np.random.Generator, side: str, position: str,
        depth: float,
    half: float, centre: tuple[float, float], spacing: float,
) -> Floats:  # fmt: skip
    x, y = depth * 0.56, centre[1] - half * (0.30 if position == "CC" else 0.18)
    if build.mass_mm and side == "L":
        r = build.mass_mm / 2
        for k in range(16):
            a = k * 0.39 + rng.normal() * 0.1
            reach = r * rng.uniform(1.5, 2.3)
            canvas.stroke([(x, y), (x + np.cos(a) * reach, y + np.sin(a) * reach)], 0.55, 0.09)
        points = [(x + r * np.cos(a) * rng.uniform(0.85, 1.15),
            y + r * np.sin(a) * rng.uniform(0.85, 1.15))
                  for a in np.linspace(0, 2 * np.pi, 11, endpoint=False)]  # fmt: skip
        canvas.blob(points, 0.24)
    soft = box_blur(canvas.array(), max(1, round(0.8 / spacing)))
    specks = Canvas(
        canvas.rows, canvas.cols, spacing, (spacing / 2, spacing / 2), 0.0, supersample=1
    )
    if build.calcium and side == "L":
        for _ in range(17):
            dx, dy = rng.normal() * 4.5, rng.normal() * 3.5
            specks.ellipse(
                x + dx + 12, y + dy + 14, rng.uniform(0.16, 0.42), rng.uniform(0.16, 0.34), 0.55
            )
    for _ in range(2):
        specks.ellipse(
            depth * rng.uniform(0.3, 0.8), centre[1] + half * rng.uniform(-0.5, 0.5), 0.6, 0.6, 0.45
        )
    return soft + blur(specks.array())
