"""Plain radiographs: thickness and density added up along the beam, then shown as a film is.

Coordinates are mm on the detector, x to the patient's left (PA chest) and y to the feet.
"""

from dataclasses import dataclass

import numpy as np

from apps.demo.phantoms.canvas import (
    Canvas,
    Floats,
    box_blur,
    key,
    mirrored,
    smooth_noise,
)
from apps.demo.phantoms.torso import SIDES


@dataclass(frozen=True)
class ChestBuild:
    """What makes one chest film differ from another; two exams of one person share it."""

    seed: int
    sex: str = "F"
    scale: float = 1.0
    heart: float = 1.0
    consolidation: float = 0.0
    effusion_mm: float = 0.0
    nodule_mm: float = 0.0


class Film:
    """The film in the making: named sheets are blurred and added."""

    def __init__(self, rows: int, cols: int, spacing: float, scale: float) -> None:
        self.rows, self.cols = rows, cols
        self.spacing = spacing / scale
        self.total = np.zeros((rows, cols), dtype=np.float32)

    def sheet(self) -> Canvas:
        """Return an empty sheet to draw densities on."""
        origin = (-self.spacing * (self.cols - 1) / 2, -self.spacing * (self.rows - 1) / 2)
        return Canvas(self.rows, self.cols, self.spacing, origin, 0.0, supersample=1)

    def add(self, sheet: Canvas, blur_mm: float, factor: Floats | float = 1.0) -> None:
        """Blur a sheet and add it to the film."""
        radius = round(blur_mm / self.spacing / 2)
        self.total += box_blur(sheet.array(), radius) * factor

    def grid(self) -> tuple[Floats, Floats]:
        """Return x of each column and y of each row in mm."""
        x = (np.arange(self.cols, dtype=np.float32) - (self.cols - 1) / 2) * self.spacing
        y = (np.arange(self.rows, dtype=np.float32) - (self.rows - 1) / 2) * self.spacing
        return x[None, :], y[:, None]


_LEFT = [(17, -140), (40, -168), (72, -152), (98, -105), (118, -40), (130, 30), (134, 82), (131,
    100),
         (112, 84), (84, 82), (66, 92), (52, 82), (46, 40), (38, 0), (24, -40), (22,
             -90)]  # fmt: skip
_RIGHT = [(17, -138), (40, -167), (72, -152), (98, -105), (119, -40), (131, 30), (134, 70), (131,
    88),
          (110, 62), (80, 50), (48, 52), (30, 62), (25, 30), (24, -10), (20, -60), (19,
              -100)]  # fmt: skip


def chest_pa(build: ChestBuild, rows: int, cols: int, spacing: float) -> Floats:
    """Return a frontal chest film, (rows, cols) float32 between 0 (black) and 1 (white)."""
    rng = np.random.default_rng(build.seed)
    film = Film(rows, cols, spacing, build.scale)
    x, y = film.grid()
    _trunk(film, build, x, y)
    lungs = _lungs(film, build, x, y)
    _centre(film, lungs)
    _bones(film)
    _branches(film, rng)
    _findings(film, build, rng, lungs)
    return developed(film.total, rng, low=1.6, high=22.0)


def developed(density: Floats, rng: np.random.Generator, low: float, high: float) -> Floats:
    """Turn density into what a reader sees: curve, local contrast, quantum mottle."""
    share = np.clip((density - low) / (high - low), 0, None)
    shown = np.asarray(1.12 * (1 - np.exp(-1.75 * share)), dtype=np.float32)
    wide = box_blur(shown, 28)
    shown = shown + 0.5 * (shown - wide)
    shown = shown + 0.8 * (shown - box_blur(shown, 1))
    mottle = rng.standard_normal(shown.shape, dtype=np.float32)
    mottle = box_blur(mottle, 1) * 3.0
    shown = np.asarray(shown + mottle * (0.006 + 0.006 * np.sqrt(np.clip(shown, 0, 1))))
    return np.clip(shown, 0, 1).astype(np.float32)


def _trunk(film: Film, build: ChestBuild, x: Floats, y: Floats) -> None:
    shape = film.sheet()
    shape.blob([(-46, -260), (46, -260), (52, -186), (95, -172), (165, -150), (205, -80), (176, 10),
                (162, 90), (168, 260), (-168, 260), (-162, 90), (-176, 10), (-205, -80), (-165,
                    -150),
                (-95, -172), (-52, -186)], 1.0)  # fmt: skip
    fall = 1 - 0.38 * np.clip(np.abs(x) / 190, 0, 1) ** 2.6
    rise = 1 + 0.10 * np.clip((y - 40) / 160, -0.6, 1)
    film.add(shape, 7, (16.0 * fall * rise).astype(np.float32))
    neck = film.sheet()
    neck.blob([(-42, -260), (42, -260), (40, -180), (60, -150), (-60, -150), (-40, -180)], -2.6)
    film.add(neck, 16)
    arms = film.sheet()
    for side in SIDES:
        arms.blob(
            mirrored([(126, -150), (190, -160), (215, -60), (168, 10), (136, -40)], side), 2.4
        )
        if build.sex == "F":
            arms.ellipse(72 * side, 42, 62, 56, 1.9)
    film.add(arms, 12)


def _lungs(film: Film, build: ChestBuild, x: Floats, y: Floats) -> Floats:
    sheet = film.sheet()
    sheet.blob(_LEFT, 1.0)
    sheet.blob(mirrored(_RIGHT, -1), 1.0)
    mask = box_blur(sheet.array(), round(2.5 / film.spacing))
    depth = (
        1
        - 0.30 * np.clip((np.abs(x) - 70) / 70, -1, 1) ** 2
        - 0.22 * np.clip(-(y + 40) / 130, 0, 1)
    )
    h = build.heart
    heart = film.sheet()
    heart.blob([(-20, -52), (14, -58), (30, -36), (44 * h, -6), (70 * h, 34), (78 * h, 62),
        (62 * h, 84),
                (10, 88), (-26 * h, 76), (-37 * h, 40), (-32 * h, 0)], 0.66)  # fmt: skip
    filled = box_blur(heart.array(), round(2.6 / film.spacing))
    film.total -= mask * (1 - filled) * (11.8 * depth).astype(np.float32)
    film.total += filled * 2.2
    recess = film.sheet()
    recess.blob(mirrored([(30, 40), (70, 42), (112, 52), (126, 84), (84, 104), (40, 92)], -1), -2.2)
    recess.blob([(52, 66), (86, 74), (114, 78), (126, 98), (88, 118), (50, 108)], -2.2)
    film.add(recess, 14)
    return mask


def _centre(film: Film, lungs: Floats) -> None:
    middle = film.sheet()
    middle.blob([(-24, -170), (24, -170), (24, -60), (34, 20), (40, 90), (-34, 90), (-26, 20),
        (-22, -60)],
                2.0)  # fmt: skip
    film.add(middle, 9)
    vessels = film.sheet()
    vessels.blob([(6, -92), (24, -98), (33, -84), (30, -66), (14, -62), (4, -76)], 3.6)
    vessels.stroke([(24, -70), (22, 0), (14, 90)], 22, 1.3)
    vessels.stroke([(-24, -130), (-27, -80), (-28, -30)], 14, 1.6)
    vessels.stroke([(24, -50), (36, -44), (44, -22)], 18, 1.8)
    film.add(vessels, 4)
    air = film.sheet()
    air.stroke([(1, -210), (1, -120), (0, -72)], 15, -3.4)
    air.stroke([(0, -74), (-18, -52), (-32, -30)], 10, -2.2)
    air.stroke([(0, -74), (24, -54), (42, -40)], 9, -2.2)
    film.add(air, 3)
    belly = film.sheet()
    belly.blob(
        mirrored([(0, 80), (48, 56), (84, 54), (112, 68), (142, 96), (150, 230), (0, 230)], -1), 3.2
    )
    belly.blob([(0, 96), (60, 96), (90, 88), (118, 92), (144, 110), (150, 230), (0, 230)], 2.0)
    film.add(belly, 9, 1 - 0.75 * lungs)
    gas = film.sheet()
    gas.ellipse(74, 112, 27, 15, -3.6, 0.1)
    gas.ellipse(108, 150, 20, 13, -2.6, 0.5)
    film.add(gas, 5)


def _bones(film: Film) -> None:
    for back in (True, False):
        edge, core = film.sheet(), film.sheet()
        for number in range(1, 11):
            top = -158 + (number - 1) * 26.5
            wide = key(number, [(1, 56), (2, 84), (4, 112), (7, 132), (10, 136)])
            for side in SIDES:
                if back:
                    line = [(18, top + 4), (wide * 0.5, top - 4 + 2 * number), (wide * 0.86,
                        top + 16 + 2 * number),
                            (wide, top + 34 + 2 * number)]  # fmt: skip
                elif number < 8:
                    line = [(wide, top + 38), (wide * 0.9, top + 66), (wide * 0.62, top + 88),
                            (wide * 0.36, top + 92)]  # fmt: skip
                else:
                    continue
                edge.stroke(mirrored(line, side), 10.0, 1.25 if back else 0.8)
                core.stroke(mirrored(line, side), 6.6, 0.72 if back else 0.42)
        film.add(edge, 1.1)
        film.add(core, 1.4, -1.0)
    spine = film.sheet()
    for k in range(17):
        y = -215 + 25.5 * k
        w = key(y, [(-215, 13), (0, 16), (200, 22)])
        spine.blob(
            [(-w, y - 10), (w, y - 10), (w * 0.9, y), (w, y + 10), (-w, y + 10), (-w * 0.9, y)], 1.5
        )
        for side in SIDES:
            spine.ellipse(side * w * 0.62, y - 3, 3.6, 4.8, 2.3)
            spine.stroke([(side * w, y - 2), (side * (w + 15), y - 5)], 6, 0.8)
        spine.stroke([(0, y + 2), (0.5, y + 12)], 3.6, 2.2)
    film.add(spine, 1.6)
    girdle = film.sheet()
    for side in SIDES:
        collar = [(20, -136), (56, -142), (96, -158), (150, -162)]
        girdle.stroke(mirrored(collar, side), 12, 1.9)
        girdle.stroke(mirrored(collar, side), 7.6, 1.15)
        blade = [(142, -150), (124, -112), (128, -40), (142, -2), (158, -60), (166, -120)]
        girdle.blob(mirrored(blade, side), 0.6)
        girdle.stroke(mirrored([*blade[:4]], side), 3.0, 1.5)
        girdle.stroke(mirrored([(128, -134), (160, -150), (178, -158)], side), 7.5, 1.5)
        girdle.ellipse(188 * side, -128, 24, 25, 2.0)
        girdle.stroke(mirrored([(193, -110), (203, -20)], side), 23, 1.8)
    film.add(girdle, 1.6)


def _branches(film: Film, rng: np.random.Generator) -> None:
    sheet = film.sheet()
    for side in SIDES:
        for k in range(9):
            angle = -1.35 + k * 0.345 + rng.normal() * 0.12
            _branch(
                sheet, rng, (side * 32.0, -26.0 if side > 0 else -20.0), angle, side, 4.2, 21.0, 8
            )
        sheet.ellipse(side * 36, -28, 12, 15, 1.0, 0.4 * side)
        sheet.ellipse(side * 42, -12, 7, 16, 1.1, 0.3 * side)
    film.add(sheet, 0.9, 1.5)


def _branch(
    sheet: Canvas, rng: np.random.Generator, at: tuple[float, float], angle: float, side: int,
    width: float, length: float, depth: int,
) -> None:  # fmt: skip
    x, y = at
    if depth == 0 or abs(x) > 122 or not -150 < y < 92 or width < 0.4:
        return
    end = (x + side * np.cos(angle) * length, y + np.sin(angle) * length)
    bend = ((x + end[0]) / 2 + rng.normal() * 2, (y + end[1]) / 2 + rng.normal() * 2)
    sheet.stroke([at, bend, end], width, 0.22 + 0.17 * width)
    for k in range(2):
        turn = angle + rng.normal() * 0.16 + (0.42 if k else -0.22) * rng.uniform(0.3, 1.5)
        _branch(sheet, rng, end, turn, side, width * rng.uniform(0.6, 0.82),
            length * rng.uniform(0.7, 0.98),
                depth - 1)  # fmt: skip


def _findings(film: Film, build: ChestBuild, rng: np.random.Generator, lungs: Floats) -> None:
    if build.consolidation:
        patch = film.sheet()
        patch.blob(mirrored([(44, 0), (84, -8), (112, 16), (114, 52), (78, 50), (48, 44)], -1),
                   5.0 * build.consolidation)  # fmt: skip
        cloud = 0.75 + 0.35 * smooth_noise(rng, film.total.shape, (34, 34))
        film.add(patch, 20, np.clip(cloud, 0.1, 1.5) * lungs)
    if build.effusion_mm:
        fluid = film.sheet()
        top = 92 - build.effusion_mm
        fluid.blob([(52, 128), (58, top + 16), (96, top + 8), (138, top - 24), (150, 128)], 6.4)
        film.add(fluid, 8)
    if build.nodule_mm:
        spot = film.sheet()
        r = build.nodule_mm / build.scale / 2
        spot.ellipse(76, -72, r, r, 2.1)
        film.add(spot, 1.6)
