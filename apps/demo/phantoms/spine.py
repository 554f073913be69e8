"""A lumbar spine from the side for MR: vertebrae, discs, cord and roots, muscles, great vessels.

Drawn in the sagittal plane: x of the canvas runs to the back, y to the feet, in mm; `side` is the
patient's left in mm. Values are those of a T1 or T2 weighted picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from apps.demo.phantoms.canvas import Canvas, Floats, blur, key, open_curve, smooth_noise

T1: Mapping[str, float] = {
    "air": 10, "fat": 900, "muscle": 330, "marrow": 560, "cortex": 60, "disc": 380, "annulus": 230,
    "dry": 340, "csf": 170, "cord": 420, "root": 330, "ligament": 70, "blood": 60, "bowel": 390,
    "bladder": 190, "kidney": 390, "skin": 480,
}  # fmt: skip
T2: Mapping[str, float] = {
    "air": 10, "fat": 640, "muscle": 150, "marrow": 390, "cortex": 40, "disc": 640, "annulus": 120,
    "dry": 200, "csf": 980, "cord": 330, "root": 300, "ligament": 50, "blood": 45, "bowel": 330,
    "bladder": 990, "kidney": 520, "skin": 300,
}  # fmt: skip
LEVELS = ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1")


@dataclass(frozen=True)
class SpineBuild:
    """What makes one spine differ from another; a disc may have slipped back `herniation_mm`."""

    seed: int
    scale: float = 1.0
    herniation_mm: float = 0.0
    herniated: str = "L4"
    dry: tuple[str, ...] = ()
    fat_mm: float = 26.0


@dataclass(frozen=True)
class _Vertebra:
    name: str
    x: float
    y: float
    tilt: float
    depth: float
    height: float

    def at(self, u: float, v: float) -> tuple[float, float]:
        """Return canvas mm of a point u mm behind and v mm below the centre of the body."""
        c, s = np.cos(self.tilt), np.sin(self.tilt)
        return self.x + c * u - s * v, self.y + s * u + c * v


def _column(build: SpineBuild) -> list[_Vertebra]:
    rng = np.random.default_rng(build.seed)
    tilts = [-0.14, -0.16, -0.17, -0.12, -0.02, 0.12, 0.34, 0.72]
    x, y = 18.0, -143.0
    column: list[_Vertebra] = []
    for name, tilt in zip(LEVELS, tilts, strict=True):
        lean = tilt + rng.normal() * 0.015
        height = 25.0 + 3.2 * min(1.0, len(column) / 4)
        depth = 31.0 + 4.0 * min(1.0, len(column) / 5)
        column.append(_Vertebra(name, x, y, lean, depth, height))
        gap = 6.5 + 5.0 * min(1.0, len(column) / 5)
        step = height + gap
        x += -np.sin(lean + 0.06) * step * 0.92
        y += np.cos(lean) * step
    return column


def sagittal(
    build: SpineBuild, picture: Mapping[str, float], size: int, spacing: float, sides: list[float]
) -> list[Floats]:
    """Return one sagittal image (size, size) float32 for each distance from the midline in mm."""
    column = _column(build)
    half = spacing / build.scale * (size - 1) / 2
    rng = np.random.default_rng(build.seed + 3)
    mottle = (
        smooth_noise(rng, (size, size), (7, 7)) * 0.05
        + smooth_noise(rng, (size, size), (26, 26)) * 0.05
    )
    streaks = smooth_noise(rng, (size, size), (24, 3.0))
    images = []
    for side in sides:
        canvas = Canvas(size, size, spacing / build.scale, (-half, -half), picture["air"])
        _soft(canvas, build, picture, side, column)
        _posterior(canvas, picture, side, column)
        if abs(side) < 11:
            _canal(canvas, build, picture, side, column)
        _bodies(canvas, build, picture, side, column)
        image = blur(canvas.array())
        image *= 1 + mottle
        muscle = np.abs(image / picture["muscle"] - 1) < 0.18
        image += muscle * np.maximum(0, streaks - 0.9) * picture["fat"] * 0.35
        fall = np.exp(-(((np.arange(size) - size * 0.64) / (size * 0.30)) ** 2))
        images.append((image * (0.18 + 0.92 * fall)[None, :]).astype(np.float32))
    return images


def _soft(
    canvas: Canvas, build: SpineBuild, p: Mapping[str, float], side: float, column: list[_Vertebra]
) -> None:
    bends = [(122, -190), (113, -90), (99, -20), (97, 30), (110, 90), (124, 150), (126, 220)]
    back = [(float(x), float(y)) for x, y in open_curve(np.array(bends, dtype=float))]
    canvas.polygon([(-190, -200), *[(x + 4, y) for x, y in back], (-190, 220)], p["skin"])
    canvas.polygon([(-190, -200), *[(x + 1.5, y) for x, y in back], (-190, 220)], p["fat"])
    fat = build.fat_mm * 0.55
    wall = [(x - fat * key(y, [(-175, 0.5), (20, 1.0), (90, 1.5), (200, 1.4)]), y) for x, y in back]
    front = [(v.x - v.depth / 2 - 3, v.y) for v in column]
    canvas.blob([*wall, (40, 220), *[(x + 24, y) for x, y in front[::-1]], (34, -180)], p["muscle"])
    rng = np.random.default_rng(build.seed + 9)
    for _ in range(38):
        x, y = rng.uniform(-150, -42), rng.uniform(-140, 150)
        grow = 1 - abs(side) / 90
        canvas.ellipse(x, y, rng.uniform(7, 15) * grow, rng.uniform(6, 12), p["muscle"])
        canvas.ellipse(
            x, y, rng.uniform(4, 9) * grow, rng.uniform(3, 7), p["bowel"], rng.uniform(0, 3)
        )
    if -4 < side < 16:
        line = [(v.x - v.depth / 2 - 13, v.y) for v in column[:6]]
        canvas.stroke([(line[0][0] + 4, -180), *line], 17, p["blood"])
    if -24 < side < -8:
        line = [(v.x - v.depth / 2 - 12, v.y) for v in column[:6]]
        canvas.stroke([(line[0][0] - 6, -180), *line], 18, p["blood"] + 20)
    if abs(side) > 20:
        for v in column[2:7]:
            canvas.ellipse(v.x - 4, v.y + 10, 17, 24, p["muscle"])
    canvas.ellipse(-92, 178, 42, 30, p["muscle"])
    canvas.ellipse(-92, 178, 39, 27, p["bladder"])


def _posterior(
    canvas: Canvas, p: Mapping[str, float], side: float, column: list[_Vertebra]
) -> None:
    if abs(side) < 6:
        fat = [v.at(v.depth / 2 + 17, 0) for v in column]
        canvas.stroke(fat, 7, p["fat"])
        for v in column[:7]:
            tip = [
                v.at(v.depth / 2 + 21, 9),
                v.at(v.depth / 2 + 34, 13),
                v.at(v.depth / 2 + 47, 17),
            ]
            canvas.stroke(tip, 17, p["cortex"])
            canvas.stroke(tip, 14.6, p["marrow"])
            canvas.stroke(
                [v.at(v.depth / 2 + 22, 24), v.at(v.depth / 2 + 44, 30)], 4.5, p["ligament"] + 60
            )
            canvas.stroke(
                [v.at(v.depth / 2 + 16, 10), v.at(v.depth / 2 + 16, 24)], 2.8, p["ligament"]
            )
    elif abs(side) < 24:
        for v in column[:7]:
            canvas.ellipse(*v.at(v.depth / 2 + 7, 16), 9.0, 12.5, p["fat"], v.tilt)
            canvas.ellipse(*v.at(v.depth / 2 + 5, 11), 3.6, 3.2, p["root"])
            canvas.ellipse(*v.at(v.depth / 2 + 10, 12), 1.5, 1.5, p["blood"])
            facet = [
                v.at(v.depth / 2 + 13, -2),
                v.at(v.depth / 2 + 19, 11),
                v.at(v.depth / 2 + 21, 24),
            ]
            canvas.stroke(facet, 11, p["cortex"])
            canvas.stroke(facet, 7.5, p["marrow"])
            canvas.stroke(
                [v.at(v.depth / 2 + 12, 16), v.at(v.depth / 2 + 22, 20)], 1.4, p["csf"] * 0.7
            )
            canvas.stroke([v.at(v.depth / 2 - 4, -5), v.at(v.depth / 2 + 15, -5)], 15, p["cortex"])
            canvas.stroke(
                [v.at(v.depth / 2 - 6, -5), v.at(v.depth / 2 + 14, -5)], 11.5, p["marrow"]
            )


def _canal(
    canvas: Canvas, build: SpineBuild, p: Mapping[str, float], side: float, column: list[_Vertebra]
) -> None:
    open_ = float(np.sqrt(max(0.05, 1 - (side / 11.5) ** 2)))
    line = [v.at(v.depth / 2 + 8.6, 0) for v in column[:-1]]
    line = [(line[0][0] - 3, line[0][1] - 60), *line, column[-1].at(27, -2), column[-1].at(24, 34)]
    canvas.stroke(line, 17.0 * open_ + 2, p["ligament"])
    canvas.stroke(line, 16.0 * open_, p["fat"])
    canvas.stroke(line[:-1], 14.0 * open_, p["csf"])
    rng = np.random.default_rng(build.seed + abs(int(side * 10)) + 77)
    for k in range(7):
        shift = (k - 3) * 1.25 * open_ + 1.6
        thread = [(x + shift + rng.normal() * 0.4, y) for x, y in line[3:-1]]
        canvas.stroke([(line[2][0] + shift * 0.6, line[2][1] + 12), *thread], 0.75, p["root"] + 90)
    if abs(side) < 5.5:
        cord = [(x + 0.6, y) for x, y in line[:3]]
        canvas.stroke(cord, 8.0, p["cord"])
        x, y = line[3]
        canvas.polygon([(cord[-1][0] - 3.9, cord[-1][1]), (cord[-1][0] + 3.9, cord[-1][1]),
                        (x + 2.8, y + 5)], p["cord"])  # fmt: skip


def _bodies(
    canvas: Canvas, build: SpineBuild, p: Mapping[str, float], side: float, column: list[_Vertebra]
) -> None:
    narrow = float(np.sqrt(max(0.0, 1 - (side / 27.0) ** 2)))
    if narrow <= 0.1:
        return
    for v, below in pairwise(column):
        _disc(canvas, build, p, v, below, narrow, abs(side) < 9)
    for v in column:
        d, h = v.depth / 2 * (0.55 + 0.45 * narrow), v.height / 2
        if v.name == "S1":
            shape = [(-d, -h), (d - 1, -h + 1), (d - 6, h + 2), (-d * 0.25, h + 2)]
        else:
            shape = [(-d, -h), (0, -h + 1.6), (d, -h), (d - 1.6, 0), (d, h), (0, h - 1.6), (-d, h),
                     (-d + 2.4, 0)]  # fmt: skip
        outline = np.array([v.at(a, b) for a, b in shape])
        centre = outline.mean(axis=0)
        canvas.polygon(outline, p["cortex"])
        canvas.polygon(centre + (outline - centre) * (1 - 1.25 / d), p["marrow"])
        if abs(side) < 5 and v.name != "S1":
            canvas.stroke([v.at(d - 8, 0), v.at(d - 1, 0)], 2.2, (p["csf"] + p["marrow"]) / 2)
    s1 = column[-1]
    for k in (1, 2, 3):
        u, w = 4.5 * k, 8.0 + 21.0 * k
        piece = [
            (u - 12 + 2 * k, w - 9),
            (u + 10 - k, w - 9),
            (u + 9 - k, w + 8),
            (u - 11 + 2 * k, w + 8),
        ]
        canvas.blob([s1.at(a, b) for a, b in piece], p["cortex"])
        canvas.blob([s1.at(a * 0.97 + 0.3, b * 0.99) for a, b in piece], p["marrow"])


def _disc(
    canvas: Canvas, build: SpineBuild, p: Mapping[str, float], v: _Vertebra, below: _Vertebra,
    narrow: float, central: bool,  # noqa: FBT001 - a plain flag of a drawing helper
) -> None:  # fmt: skip
    dry = v.name in build.dry or (build.herniation_mm > 0 and v.name == build.herniated)
    x, y = (v.x + below.x) / 2, (v.y + below.y) / 2
    tilt = (v.tilt + below.tilt) / 2
    thick = (np.hypot(below.x - v.x, below.y - v.y) - (v.height + below.height) / 2) * (
        0.72 if dry else 1.0
    )
    disc = _Vertebra("", x, y, tilt, v.depth, thick)
    d = v.depth / 2 * (0.55 + 0.45 * narrow)
    canvas.polygon([disc.at(-d, -thick), disc.at(d, -thick), disc.at(d, thick), disc.at(-d, thick)],
                   p["cortex"])  # fmt: skip
    canvas.ellipse(*disc.at(0, 0), d + 1.2, thick * 0.56, p["annulus"], tilt)
    canvas.ellipse(*disc.at(1.2, 0), d * 0.74, thick * 0.40, p["dry"] if dry else p["disc"], tilt)
    if not dry:
        canvas.stroke(
            [disc.at(-d * 0.55, 0), disc.at(d * 0.6, 0)], 1.2, (p["disc"] + p["annulus"]) / 2
        )
    if central and build.herniation_mm and v.name == build.herniated:
        slip = build.herniation_mm / build.scale + 2.5
        canvas.blob([disc.at(d - 3, -thick * 0.5), disc.at(d + slip * 0.8, -thick * 0.3),
                     disc.at(d + slip, thick * 0.35), disc.at(d + slip * 0.7, thick * 1.0),
                     disc.at(d - 3, thick * 0.5)], p["annulus"] + 20)  # fmt: skip
