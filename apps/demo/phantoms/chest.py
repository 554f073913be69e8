"""What lies inside the ribs: lungs with their vessels, heart, great vessels, airways."""

from functools import cache

import numpy as np

from apps.demo.phantoms.canvas import Canvas, Floats, key, mirrored, smooth
from apps.demo.phantoms.torso import AIR, FAT, LUNG, SIDES, Build, cavity, spine_y

_APEX, _BASE = 250.0, -78.0
_Segment = tuple[float, float, float, float, float, float, float]


@cache
def vessel_tree(seed: int) -> Floats:
    """Return the vessels of both lungs, (n, 7): two end points and a radius, in mm."""
    rng = np.random.default_rng(seed + 17)
    segments: list[_Segment] = []
    for side in SIDES:
        for base in (118.0, 95.0, 70.0):
            for _ in range(15):
                direction = rng.normal(size=3)
                direction[0] = abs(direction[0]) * side + 0.5 * side
                direction[2] = direction[2] * 1.3 + (base - 88) / 45
                start = np.array([31.0 * side, 14.0, base + rng.uniform(-9, 9)])
                radius = rng.uniform(1.9, 4.0)
                _grow(rng, segments, start, direction / np.linalg.norm(direction), radius, 24.0, 8)
    return np.array(segments, dtype=np.float32)


def _grow(
    rng: np.random.Generator,
    segments: list[_Segment],
    start: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    direction: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    radius: float,
    length: float,
    depth: int,
) -> None:
    end = start + direction * length * rng.uniform(0.75, 1.2)
    x, y, z = end
    wide = (abs(x) / 131) ** 2.3 + (abs(y - 1) / 88) ** 2.3
    if depth == 0 or radius < 0.22 or wide > 0.93 or not -60 < z < 242:
        return
    if wide > 0.93 * key(z, [(80, 1.0), (140, 0.86), (200, 0.52), (240, 0.2)]):
        return
    segments.append((*start, *end, radius))
    for k in range(2 if rng.random() < 0.8 else 1):
        turn = direction + rng.normal(size=3) * (0.30 if k == 0 else 0.62)
        turn /= np.linalg.norm(turn)
        shrink = rng.uniform(0.72, 0.86) if k == 0 else rng.uniform(0.52, 0.72)
        _grow(
            rng, segments, end, turn, radius * shrink, length * rng.uniform(0.74, 0.98), depth - 1
        )


def draw_lungs(canvas: Canvas, build: Build, z: float, thick: float, tree: Floats) -> None:
    """Draw both lungs, their vessels and airways, and what lies in them."""
    if not _BASE < z < _APEX:
        return
    wall = cavity(z)
    front, back = float(wall[:, 1].min()), float(wall[:, 1].max())
    for side in SIDES:
        canvas.polygon(_lung(z, side, front, back), LUNG)
        _fissure(canvas, z, side)
    _vessels(canvas, build, z, thick, tree)
    _airways(canvas, z)
    if build.effusion_mm and z < 60:
        deep = build.effusion_mm * key(z, [(60, 0.0), (10, 0.8), (-40, 1.0)])
        for side in (1,):
            outer = [p for p in wall if p[0] * side > 14 and p[1] > 12]
            inner = [(p[0] * 0.96, p[1] - deep * min(1.0, (p[1] - 12) / 60)) for p in outer]
            canvas.polygon([*outer, *inner[::-1]], 12.0)
    if build.nodule_mm:
        nx, ny, nz = build.nodule_at
        radius = build.nodule_mm / build.scale / 2
        cut = radius**2 - (z - nz) ** 2
        if cut > 0:
            r = float(np.sqrt(cut))
            for k in range(7):
                a = k * 0.9 + build.seed % 5
                tip = (nx + np.cos(a) * r * 1.55, ny + np.sin(a) * r * 1.55)
                canvas.stroke([(nx, ny), tip], 0.6, -420.0)
            canvas.ellipse(nx, ny, r, r, 42.0)


def _lung(z: float, side: int, front: float, back: float) -> list[tuple[float, float]]:
    wall = cavity(z)
    anterior = key(z, [(250, 14), (215, 20), (160, 10), (100, 9), (40, 18), (-40, 55)])
    middle = key(z, [(250, 20), (215, 27), (165, 31), (125, 30), (90, 40), (40, 44), (-40, 40)])
    if side == 1:
        middle = key(z, [(250, 20), (215, 28), (165, 36), (125, 36), (80, 62), (30, 78), (-30, 60)])
        anterior = key(z, [(250, 14), (215, 20), (160, 10), (100, 12), (40, 46), (-40, 70)])
    y_spine = spine_y(z)
    outer = sorted(
        ((float(x), float(y)) for x, y in wall if x * side > anterior * 0.9),
        key=lambda p: np.arctan2(p[1], p[0] * side),
    )
    outer = [p for p in outer if not (p[1] > y_spine + 6 and p[0] * side < 25)]
    inner = [(24.0, y_spine + 20), (21.0, y_spine + 4), (23.0, y_spine - 14), (middle * 0.9, 14.0),
             (middle, -12.0), (middle * 0.86, -38.0), (anterior, front + 14)]  # fmt: skip
    return outer + [(x * side, y) for x, y in inner if front < y < back]


def _fissure(canvas: Canvas, z: float, side: int) -> None:
    if not -40 < z < 190:
        return
    y = key(z, [(190, 55), (60, -8), (-40, -62)])
    wide = key(z, [(190, 96), (140, 112), (60, 126), (-40, 120)])
    canvas.stroke(mirrored([(48, y + 4), (80, y - 3), (wide, y + 8)], side), 0.7, -690.0)


def _vessels(canvas: Canvas, build: Build, z: float, thick: float, tree: Floats) -> None:
    reach = thick / 2 + tree[:, 6]
    low, high = np.minimum(tree[:, 2], tree[:, 5]), np.maximum(tree[:, 2], tree[:, 5])
    blood = build.hu(42, 165)
    for x0, y0, z0, x1, y1, z1, r in tree[(low - reach < z) & (high + reach > z)]:
        span = z1 - z0
        half = thick / 2 + r * 0.5
        if abs(span) < 1e-3:
            a, b = 0.0, 1.0
        else:
            a, b = sorted(((z - half - z0) / span, (z + half - z0) / span))
            a, b = max(0.0, a), min(1.0, b)
        if b <= a:
            continue
        solid = min(1.0, 2 * r / (thick * 0.55))
        value = blood * solid + LUNG * (1 - solid)
        p = (x0 + (x1 - x0) * a, y0 + (y1 - y0) * a)
        q = (x0 + (x1 - x0) * b, y0 + (y1 - y0) * b)
        canvas.stroke([p, q], 2 * r, value)


def _airways(canvas: Canvas, z: float) -> None:
    for side in SIDES:
        for k in range(5):
            grow = (128 - z) / 90
            if not 0.12 < grow < 1.5:
                continue
            angle = -1.1 + k * 0.55 + 0.15 * np.sin(z / 20 + k)
            reach = 26 + 34 * grow
            x, y = (20 + np.cos(angle) * reach) * side, 14 + np.sin(angle) * reach * 0.9
            r = max(0.9, 3.0 - 1.3 * grow)
            canvas.ellipse(x, y, r + 0.9, r + 0.9, -280.0)
            canvas.ellipse(x, y, r, r, -930.0)


def draw_mediastinum(canvas: Canvas, build: Build, z: float) -> None:
    """Draw heart, great vessels, windpipe and gullet between the lungs."""
    if not -95 < z < 262:
        return
    blood, muscle = build.hu(42, 168), build.hu(46, 105)
    y = spine_y(z)
    if z > 20:
        wide = key(z, [(20, 50), (110, 34), (160, 28), (250, 16)])
        canvas.blob([(-wide, -40), (-8, -74), (wide * 0.8, -50), (wide, -8), (26, y - 8),
                     (-26, y - 8), (-wide, 0)], FAT + 6)  # fmt: skip
    _heart(canvas, build, z, blood, muscle)
    if 104 < z < 140:
        _pulmonary_trunk(canvas, z, blood)
    _aorta(canvas, z, blood)
    _upper_vessels(canvas, z, blood)
    if z > 122:
        x, r = 1.0, key(z, [(122, 9.5), (250, 8.5)])
        wide = key(z, [(122, 1.5), (132, 1.05), (250, 1.0)])
        canvas.ellipse(x, y - 36 if z < 200 else y - 30, r * wide + 1.6, r + 1.6, 38.0)
        canvas.ellipse(x, y - 36 if z < 200 else y - 30, r * wide, r, AIR)
    elif z > 88:
        for side in SIDES:
            x = (9 + (122 - z) * (0.62 if side < 0 else 0.78)) * side
            canvas.ellipse(x, y - 34 + (122 - z) * 0.12, 7.6, 6.2, 38.0, 0.4 * side)
            canvas.ellipse(x, y - 34 + (122 - z) * 0.12, 6.2, 4.9, AIR + 8, 0.4 * side)
    if z > -8:
        canvas.ellipse(key(z, [(250, 4), (0, 8)]), y - 21, 8, 5.5, 38.0)
        if int(z / 7) % 3 == 0:
            canvas.ellipse(key(z, [(250, 4), (0, 8)]), y - 21.5, 2.4, 1.4, -500.0)
    if 125 < z < 175:
        for x, dy, r in [(-17, -44, 3.6), (12, -40, 3.2), (-9, -22, 3.0), (20, -30, 2.8)]:
            canvas.ellipse(x, y + dy, r, r * 0.75, 40.0)


def _heart(canvas: Canvas, build: Build, z: float, blood: float, muscle: float) -> None:
    t = (z - 48) / 62
    if abs(t) >= 1:
        return
    full = float(np.sqrt(1 - t * t)) * build.heart
    cx, cy, turn = 18 - 8 * t, -26.0, 0.55
    c, s = np.cos(turn), np.sin(turn)
    around = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    uneven = 1 + 0.045 * np.sin(3 * around + build.seed) + 0.03 * np.sin(2 * around + z / 25)

    def outline(ru: float, rv: float) -> list[tuple[float, float]]:
        u, v = ru * full * uneven * np.cos(around), rv * full * uneven * np.sin(around)
        return [(cx + c * a - s * b, cy + s * a + c * b) for a, b in zip(u, v, strict=True)]

    canvas.blob(outline(73, 51), 24.0)
    canvas.blob(outline(71.5, 49.5), FAT + 12)
    canvas.blob(outline(67, 44.5), muscle)

    def chamber(u: float, v: float, ru: float, rv: float, value: float, lean: float = 0.0) -> None:
        x, y = cx + full * (c * u - s * v), cy + full * (s * u + c * v)
        canvas.ellipse(x, y, ru * full, rv * full, value, turn + lean)

    if z < 78:
        chamber(24, 12, 27, 16, blood)
        chamber(12, -21, 34, 12, blood, -0.15)
        if not build.contrast:
            chamber(34, -6, 26, 1.2, FAT + 90, 0.1)
    chamber(-38, -8, 19, 21, blood)
    if z > 28:
        chamber(-22, 26, 24, 13, blood - 2, 0.3)
    if 40 < z < 95:
        chamber(-8, 4, 12, 12, blood)
    for u, v, r in ((8, -36, 1.7), (40, -20, 1.5), (-14, -30, 1.8), (50, 10, 1.4)):
        chamber(u, v, r / full, r / full, blood + (0 if build.contrast else 4))


def _pulmonary_trunk(canvas: Canvas, z: float, blood: float) -> None:
    y = spine_y(z)
    if z > 112:
        canvas.stroke([(14, -38), (26, -18), (38, 4)], 21, blood)
    if z < 132:
        canvas.stroke([(16, -30), (2, -12), (-22, -4), (-42, 6)], 16.5, blood)
        canvas.stroke([(-42, 6), (-58, -6)], 9, blood)
    canvas.ellipse(40, 6, 9, 8, blood)
    for side in SIDES:
        canvas.ellipse(34 * side, y - 42, 6, 5, blood)


def _aorta(canvas: Canvas, z: float, blood: float) -> None:
    y = spine_y(z)
    if 158 <= z <= 176:
        canvas.stroke([(-12, -28), (2, -20), (14, 0), (21, y - 32)], 24, blood)
        if int(z) % 4 == 0:
            canvas.stroke([(20, y - 40), (27, y - 34)], 1.6, 620.0)
    elif z < 158:
        if z > 70:
            canvas.ellipse(-13 + (158 - z) * 0.09, -29, 15.5, 15, blood)
        canvas.ellipse(key(z, [(158, 24), (60, 20), (-90, 8)]), y - 27, 12.2, 12.0, blood)


def _upper_vessels(canvas: Canvas, z: float, blood: float) -> None:
    if 88 < z < 205:
        canvas.ellipse(-31, -20, 8.5, 10.5, blood + 8)
    if 128 < z < 150:
        canvas.stroke([(-30, -12), (-28, 6), (-12, spine_y(z) - 18)], 5, blood)
    canvas.ellipse(-4, spine_y(z) - 16, 3.0, 2.6, blood)
    if z > 176:
        for x, yy, r in ((-16, -8, 7.0), (4, -4, 4.4), (18, 8, 5.4)):
            canvas.ellipse(x * key(z, [(176, 1.0), (255, 1.6)]), yy, r, r, blood)
        canvas.ellipse(-28, -20, 7, 7, blood)
        canvas.stroke([(-24, -30), (0, -34), (30, -26)] if z < 205 else [(26, -18), (36, -14)], 9,
                      blood)  # fmt: skip
    if z > 232:
        for side in SIDES:
            canvas.ellipse(19 * side, -8, 9, 12, build_thyroid(blood))


def build_thyroid(blood: float) -> float:
    """Return the thyroid's value: iodine makes it bright before any contrast."""
    return max(95.0, blood - 10)


def dome(z: float, top: float, depth: float = 98.0) -> float:
    """Return how far the diaphragm has risen at z: 0 at its top to 1 at `depth` mm below."""
    return float(np.sqrt(max(0.0, 1 - (1 - min(1.0, (top - z) / depth)) ** 2))) if z < top else 0.0


def lung_outline(z: float, side: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Return one lung's outline at z, for tests that count voxels."""
    wall = cavity(z)
    return smooth(_lung(z, side, float(wall[:, 1].min()), float(wall[:, 1].max())))
