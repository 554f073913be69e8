"""Radiographs of a hand and a knee: long bones with walls, marrow and weave, in soft tissue."""

from dataclasses import dataclass

import numpy as np

from apps.demo.phantoms.canvas import Canvas, Floats, key, mirrored, smooth, smooth_noise
from apps.demo.phantoms.radiograph import Film, developed


@dataclass(frozen=True)
class LimbBuild:
    """What makes one hand or knee differ from another; `fracture` breaks the fifth metacarpal."""

    seed: int
    side: int = 1
    scale: float = 1.0
    fracture: bool = False
    narrow: float = 1.0


def _bone(
    cortex: Canvas, marrow: Canvas, start: tuple[float, float], end: tuple[float, float],
    base: float, waist: float, head: float,
) -> None:  # fmt: skip
    """Draw one long bone with its flared ends, thick walls at the waist."""
    a, b = np.array(start), np.array(end)
    along = (b - a) / np.linalg.norm(b - a)
    across = np.array([-along[1], along[0]])
    length = float(np.linalg.norm(b - a))
    profile = [(0.0, base * 0.72), (0.07, base), (0.24, (base + waist) / 2.1), (0.5, waist),
               (0.74, (head + waist) / 2.1), (0.92, head), (1.0, head * 0.66)]  # fmt: skip
    for sheet, value, inset in ((cortex, 1.0, 0.0), (marrow, 1.0, 1.0)):
        left, right = [], []
        for t, width in profile:
            thin = 0.8 if t in (0.0, 0.07, 0.92, 1.0) else key(abs(t - 0.5), [(0, 2.0), (0.3, 1.0)])
            half = max(0.5, width / 2 - inset * thin * waist / 9)
            where = a + along * length * (t if not inset else 0.03 + 0.94 * t)
            left.append(where + across * half)
            right.append(where - across * half)
        sheet.polygon(smooth([*left, *right[::-1]]), value)


_FINGERS = [
    ((-24, 32), (-46, -8), (-58, -38), (-66, -64), None),
    ((-12, 22), (-20, -40), (-25, -84), (-27, -110), (-28, -130)),
    ((-1, 20), (-2, -42), (-2, -92), (-2, -122), (-2, -143)),
    ((9, 23), (14, -36), (19, -80), (22, -108), (23, -128)),
    ((18, 28), (30, -24), (39, -58), (44, -78), (47, -96)),
]  # fmt: skip


def hand_pa(build: LimbBuild, rows: int, cols: int, spacing: float) -> Floats:
    """Return a film of one hand, (rows, cols) float32 between 0 and 1."""
    rng = np.random.default_rng(build.seed)
    film = Film(rows, cols, spacing, build.scale)
    shift = np.array([6.0, 12.0])

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return float((point[0] + shift[0]) * build.side), float(point[1] + shift[1])

    flesh = film.sheet()
    flesh.blob([at(p) for p in [(-30, 150), (-28, 70), (-40, 30), (-34, -20), (-26, -42), (20,
        -40), (36, -18),
                                (34, 30), (26, 70), (28, 150)]], 5.2)  # fmt: skip
    thin = film.sheet()
    for k, chain in enumerate(_FINGERS):
        joints = [at(p) for p in chain if p]
        tip = np.array(joints[-1]) + (np.array(joints[-1]) - np.array(joints[-2])) * 0.30
        flesh.stroke(
            [*joints[0 if k == 0 else 1 :], (float(tip[0]), float(tip[1]))],
            19 if k == 0 else 16.5,
            3.8,
        )
        thin.stroke([*joints[0 if k == 0 else 1 :], (float(tip[0]), float(tip[1]))], 9, 1.0)
    film.add(flesh, 4)
    film.add(thin, 5)
    cortex, marrow = film.sheet(), film.sheet()
    _bone(cortex, marrow, at((-13, 185)), at((-11, 62)), 15, 12, 26)
    _bone(cortex, marrow, at((16, 185)), at((15, 66)), 11, 9, 14)
    wrist = film.sheet()
    carpals = [(-17, 50, 9, 6.5), (-4, 49, 7.5, 6.5), (8, 50, 7, 6), (13, 46, 5, 4.5), (-18, 38,
        6.5, 6),
               (-10, 35, 5.5, 5), (0, 34, 7, 9), (11, 35, 7, 8)]  # fmt: skip
    for cx, cy, rx, ry in carpals:
        x, y = at((cx, cy))
        wrist.ellipse(x, y, rx, ry, 1.0, 0.3)
        wrist.ellipse(x, y, rx - 0.9, ry - 0.9, 0.55, 0.3)
    for k, chain in enumerate(_FINGERS):
        joints = [at(p) for p in chain if p]
        widths = (15, 9.5, 12) if k == 0 else (12.5, 8.0, 13)
        if build.fracture and k == 4:
            a, b = np.array(joints[0]), np.array(joints[1])
            neck = a + (b - a) * 0.72
            bent = neck + (b - neck) @ np.array(
                [[0.86, 0.5 * build.side], [-0.5 * build.side, 0.86]]
            )
            _bone(cortex, marrow, joints[0], (float(neck[0]), float(neck[1])), 13, 8, 9)
            _bone(cortex, marrow, (float(neck[0] - build.side * 1.5), float(neck[1] - 0.8)),
                  (float(bent[0]), float(bent[1])), 9, 10, 12)  # fmt: skip
        else:
            _bone(cortex, marrow, joints[0], joints[1], *widths)
        for j in range(1, len(joints) - 1):
            gap = (np.array(joints[j + 1]) - np.array(joints[j])) * 0.06
            w = [(13, 8, 10.5), (10.5, 7, 8.5), (8.5, 4.5, 6.5)][min(2, j - 1 + (k == 0))]
            start = np.array(joints[j]) + gap
            _bone(cortex, marrow, (float(start[0]), float(start[1])), joints[j + 1], *w)
    weave = 1 + 0.10 * smooth_noise(rng, film.total.shape, (3.2, 3.2)) + 0.08 * smooth_noise(
        rng, film.total.shape, (9, 9))  # fmt: skip
    film.add(cortex, 0.45, 7.2)
    film.add(wrist, 0.5, (6.4 * weave).astype(np.float32))
    film.add(marrow, 0.6, (-3.4 * weave).astype(np.float32))
    return developed(film.total, rng, low=0.6, high=12.5)


def knee_ap(build: LimbBuild, rows: int, cols: int, spacing: float) -> Floats:
    """Return a frontal film of one knee; `narrow` below 1 takes cartilage from the inner side."""
    rng = np.random.default_rng(build.seed)
    film = Film(rows, cols, spacing, build.scale)
    s = build.side
    flesh = film.sheet()
    flesh.blob(mirrored([(-74, -170), (72, -170), (64, -60), (58, 0), (58, 60), (62, 170), (-52,
        170), (-62, 60),
                         (-58, 0), (-64, -60)], s), 6.4)  # fmt: skip
    film.add(flesh, 6)
    muscle = film.sheet()
    muscle.blob(
        mirrored([(-62, -170), (60, -170), (48, -70), (40, -20), (-40, -20), (-50, -70)], s), 1.6
    )
    muscle.blob(mirrored([(-48, 40), (48, 40), (54, 170), (-44, 170)], s), 1.4)
    film.add(muscle, 9)
    cortex, marrow = film.sheet(), film.sheet()
    inner = 4.2 * build.narrow
    femur = [(-15, -190), (15, -190), (15, -92), (22, -58), (41, -34), (43, -12), (32, -1), (16,
        -3), (2, -12),
             (-12, -3), (-30, 0), (-42, -10), (-42, -32), (-24, -58), (-16, -92)]  # fmt: skip
    tibia = [(-42, 7 + inner - 4), (-20, 6 + inner - 4), (-5, 1), (5, 1), (20, 6), (42, 7), (43,
        20), (26, 46),
             (15, 84), (13, 190), (-14, 190), (-16, 84), (-27, 46), (-43, 20)]  # fmt: skip
    for outline, thick in ((femur, 3.0), (tibia, 3.0)):
        points = smooth(mirrored(outline, s))
        cortex.polygon(points, 1.0)
        middle = points.mean(axis=0)
        depth = np.where(np.abs(points[:, 1]) > 70, thick * 1.7, thick * 0.55)
        toward = np.sign(points - middle) * np.stack([depth, np.full_like(depth, 0.9)], axis=1)
        marrow.polygon(points - toward, 1.0)
    _bone(cortex, marrow, (46.0 * s, 22.0), (44.0 * s, 190.0), 17, 10, 12)
    kneecap = film.sheet()
    kneecap.ellipse(2 * s, -32, 21, 22, 1.0)
    kneecap.ellipse(2 * s, -32, 19, 20, 0.65)
    weave = 1 + 0.12 * smooth_noise(rng, film.total.shape, (4, 3)) + 0.06 * smooth_noise(
        rng, film.total.shape, (14, 9))  # fmt: skip
    film.add(cortex, 0.8, 6.6)
    film.add(marrow, 1.2, (-2.9 * weave).astype(np.float32))
    film.add(kneecap, 0.9, 1.5)
    return developed(film.total, rng, low=1.0, high=14.5)
