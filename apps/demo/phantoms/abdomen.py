"""What lies below the diaphragm: solid organs, vessels, stomach and bowel, pelvis."""

from functools import cache
from itertools import pairwise

import numpy as np

from apps.demo.phantoms.canvas import Canvas, key, mirrored, smooth_noise, superellipse
from apps.demo.phantoms.chest import dome
from apps.demo.phantoms.torso import FAT, SIDES, WATER, Build, cavity, spine_y

LIVER_TOP, SPLEEN_TOP = 22.0, 6.0
_Loop = tuple[float, float, float, float, float, float, int]


@cache
def loops(seed: int) -> list[_Loop]:
    """Return the small bowel: centre, radii and phase of each loop, and what it holds."""
    rng = np.random.default_rng(seed + 31)
    found: list[_Loop] = []
    for _ in range(1600):
        x, y, z = rng.uniform(-88, 88), rng.uniform(-64, 12), rng.uniform(-345, -165)
        wide = key(z, [(-345, 60), (-280, 84), (-190, 86)])
        if (x / wide) ** 2 + ((y + 28) / 44) ** 2 > 1:
            continue
        near = any(
            ((x - a) / 19) ** 2 + ((y - b) / 16) ** 2 + ((z - c) / 19) ** 2 < 1
            for a, b, c, *_ in found
        )
        if not near:
            rx, ry = rng.uniform(12, 17), rng.uniform(10, 13.5)
            found.append((x, y, z, rx, ry, rng.uniform(0, 3.1), int(rng.integers(0, 6))))
    return found


def draw_abdomen(canvas: Canvas, build: Build, z: float, bowel: list[_Loop]) -> None:
    """Draw everything inside the belly wall at this level, back to front."""
    _ground(canvas, z)
    if z > 40:
        return
    _kidneys(canvas, build, z)
    _great_vessels(canvas, build, z)
    _psoas(canvas, z)
    if z < -150:
        _bowel(canvas, build, z, bowel)
    _colon(canvas, build, z)
    _pancreas(canvas, build, z)
    _stomach(canvas, build, z)
    _spleen(canvas, build, z)
    _liver(canvas, build, z)
    if z < -300:
        _pelvic_organs(canvas, build, z)


def _ground(canvas: Canvas, z: float) -> None:
    """Fill the belly with fat; near the dome only what has risen above the lung's floor."""
    if z < -72:
        canvas.polygon(cavity(z, 2.0), 45.0)
        canvas.polygon(cavity(z, 0.0), FAT)
        return
    for side, top in ((-1, LIVER_TOP + 3), (1, SPLEEN_TOP + 3)):
        rise = dome(z, top)
        if rise:
            wall = cavity(z)
            half = (wall[:, 0].max() - 8) / 2 * rise
            cy = key(rise, [(0, -8), (0.8, -12), (1, -4)])
            ry = (wall[:, 1].max() - wall[:, 1].min()) / 2 * min(0.97, rise * 0.93)
            canvas.polygon(superellipse(side * 68, cy, half + 1.0, ry + 0.6, 2.4), 48.0)
            canvas.polygon(superellipse(side * 68, cy, half - 1.2, ry - 1.2, 2.4), FAT)


def _liver(canvas: Canvas, build: Build, z: float) -> None:
    value, vein = build.hu(60, 112), build.hu(42, 162)
    if not -165 < z < LIVER_TOP:
        return
    rise = dome(z, LIVER_TOP)
    wall = cavity(z, -2.5)
    half = (wall[:, 0].max() - 8) / 2 * min(1.0, rise)
    if z > -62:
        cy = key(rise, [(0, -8), (0.8, -12), (1, -4)])
        ry = (wall[:, 1].max() - wall[:, 1].min()) / 2 * min(0.95, rise * 0.90)
        canvas.polygon(superellipse(-68, cy, half + 1.2, ry + 2, 2.4), value)
        if z < -2:
            left = key(z, [(-2, 0.1), (-30, 1.0)])
            canvas.blob([(-60, -74), (-10, -80), (30 * left, -74), (62 * left, -58), (58 * left,
                -42),
                         (20, -34), (-10, -18), (-60, -10)], value)  # fmt: skip
        for k in range(3 if rise > 0.7 else 0):
            bend = (-20 - 30 * k, -48 + 26 * k)
            canvas.stroke([(-16, 2), ((-16 + bend[0]) / 2 - 3, (2 + bend[1]) / 2 - 5), bend],
                          key(z, [(10, 6), (-60, 3)]), vein)  # fmt: skip
    else:
        size = key(z, [(-165, 0.28), (-140, 0.62), (-105, 0.9), (-62, 1.0)])
        wide = float(-wall[:, 0].min())
        left = key(z, [(-120, 0.0), (-95, 0.55), (-62, 1.0)])
        inner = -18 - 52 * (1 - size)
        shape = [(-wide + 2, -6), (-wide * 0.93, -40 * size), (-wide * 0.68, -72),
                 (-40, -78), (-12 + 58 * left, -78 + 10 * (1 - left)), (-6 + 56 * left, -58),
                 (inner + 10, -44), (inner, -22), (inner - 8, 8), (inner - 30, 30 * size + 6),
                 (-wide * 0.72, 56 * size), (-wide * 0.92, 34 * size)]  # fmt: skip
        if left == 0.0:
            shape[3:6] = [(-58, -70 * size - 6), (-44, -58 * size), (inner + 4, -50 * size)]
        canvas.blob(shape, value)
        if z > -110:
            canvas.stroke([(-14, -16), (-34, -22), (-62, -14), (-84, 6)], 7, vein)
            canvas.stroke([(-62, -14), (-84, -28), (-104, -34)], 4.2, vein)
            canvas.stroke([(-34, -22), (-22, -44), (4, -58)], 4.0, vein)
        for k in range(6):
            x = -wide * 0.5 + 26 * np.sin(k * 2.2 + z / 33)
            canvas.ellipse(x - 8, -12 + 34 * size * np.cos(k * 1.7 + z / 27), 1.9, 1.9, vein)
        if -150 < z < -98:
            full = float(np.sqrt(max(0.0, 1 - ((z + 124) / 26) ** 2)))
            x = inner - 6
            canvas.ellipse(x, -42, 15 * full + 1.6, 19 * full + 1.6, build.hu(40, 85), 0.4)
            canvas.ellipse(x, -42, 15 * full, 19 * full, 8.0, 0.4)
    if build.liver_cyst_mm:
        cut = (build.liver_cyst_mm / 2) ** 2 - (z + 52) ** 2
        if cut > 0:
            canvas.ellipse(-92, -18, float(np.sqrt(cut)), float(np.sqrt(cut)), WATER)


def _spleen(canvas: Canvas, build: Build, z: float) -> None:
    t = (z + 70) / 58
    if abs(t) >= 1:
        return
    full = float(np.sqrt(1 - t * t))
    wall = cavity(z, -3)
    wide = float(wall[:, 0].max())
    angles = np.linspace(-0.05 - 0.55 * full, 0.42 + 0.62 * full, 9) + 0.10
    outer = [(wide * np.cos(a), 76 * np.sin(a) - 2) for a in angles]
    thick = 40 * full
    inner = [
        (x - thick * (0.55 + 0.45 * np.cos(a)) * np.sin(np.pi * (k + 0.6) / 10), y - thick * 0.32)
        for k, ((x, y), a) in enumerate(zip(outer, angles, strict=True))
    ]
    canvas.blob([*outer, *inner[::-1]], build.hu(50, 122))
    if abs(t) < 0.35:
        mid = inner[4]
        canvas.stroke([(40, 10), (62, 16), (mid[0] + 5, mid[1])], 5.5, build.hu(42, 160))


def _kidney_axis(build: Build, side: int) -> tuple[float, float]:
    return (-142.0 if side < 0 else -126.0) - (build.seed % 5), 56.0


def _kidneys(canvas: Canvas, build: Build, z: float) -> None:
    cortex, pelvis = build.hu(33, 178), build.hu(6, 30)
    for side in SIDES:
        centre, half = _kidney_axis(build, side)
        t = (z - centre) / half
        x, y = 55 + 7 * -t, 30 - 4 * t
        if 1.02 < t < 1.45:
            canvas.stroke(mirrored([(30, 10), (36, 16), (46, 22)], side), 3.2, build.hu(20, 70))
            canvas.stroke(mirrored([(36, 16), (33, 25)], side), 2.8, build.hu(20, 70))
        if abs(t) >= 1:
            continue
        full = float(np.sqrt(1 - t * t))
        turn = 0.55 * side
        canvas.ellipse(x * side, y, 26 * full, 31 * full, cortex, turn)
        if build.contrast:
            for k in range(9):
                a = k * 0.72 + z / 17
                r = 15 * full
                px, py = x * side + r * np.cos(a), y + 1.15 * r * np.sin(a)
                canvas.ellipse(px, py, 4.0 * full, 5.2 * full, 118.0)
        if abs(t) < 0.72:
            sinus = float(np.sqrt(1 - (t / 0.72) ** 2))
            sx = (x - 9) * side
            canvas.blob(
                mirrored([(x - 30, y - 17), (x - 12, y - 13 * sinus), (x + 3, y - 4 * sinus),
                          (x + 2, y + 9 * sinus), (x - 12, y + 9 * sinus)], side),
                          FAT + 14)  # fmt: skip
            canvas.ellipse(sx, y - 3, 6.5 * sinus, 4.6 * sinus, pelvis, -0.4 * side)
            if abs(t) < 0.22:
                canvas.stroke(mirrored([(9, -4 + side), (26, 4), (x - 14, y - 7)], side), 6.0,
                              build.hu(40, 158))  # fmt: skip
                canvas.stroke(mirrored([(10, 6), (30, 10), (x - 15, y - 1)], side), 3.4,
                              build.hu(42, 165))  # fmt: skip
        if build.kidney_stone_mm and side > 0 and abs(z - (centre - 14)) < build.kidney_stone_mm:
            canvas.ellipse((x - 3) * side, y + 4, build.kidney_stone_mm / 2,
                           build.kidney_stone_mm / 2, 880.0)  # fmt: skip
        if -0.9 > t > -3:
            canvas.ellipse(30 * side, y - 14, 2.2, 2.2, pelvis)


def _great_vessels(canvas: Canvas, build: Build, z: float) -> None:
    y, blood, vein = spine_y(z), build.hu(42, 165), build.hu(40, 152)
    if z > -206:
        r = key(z, [(-90, 11.0), (-205, 8.5)])
        x = key(z, [(-90, 8), (-205, 3)])
        canvas.ellipse(x, y - 27, r, r, blood)
        if int(abs(z)) % 37 < 6 and z < -120:
            canvas.stroke([(x + r * 0.6, y - 27 + r * 0.7), (x + r, y - 27)], 1.6, 640.0)
        if -128 < z < -98:
            canvas.stroke([(x, y - 36), (x - 2, y - 50)], 6 if z > -112 else 5, blood)
        if z < -110:
            canvas.ellipse(x - 2, y - 46, 3.6, 3.6, blood)
            canvas.ellipse(x - 14, y - 46, 5.6, 5.4, vein)
        canvas.ellipse(key(z, [(20, -24), (-90, -22), (-205, -17)]), y - 25 if z < -80 else y - 34,
                       12.5, 9.5, vein)  # fmt: skip
    else:
        apart = key(z, [(-206, 8), (-280, 42), (-350, 68), (-420, 74)])
        yy = key(z, [(-206, 4), (-270, 22), (-330, -14), (-400, -44)])
        for side in SIDES:
            canvas.ellipse(apart * side, yy, 5.6, 5.6, blood)
            canvas.ellipse((apart - 8) * side if z > -330 else (apart - 11) * side, yy + 7,
                           6.8, 5.6, vein - 20)  # fmt: skip
    if z > -150:
        for side in SIDES:
            canvas.stroke(mirrored([(9, y - 17), (15, y - 22), (17, y - 34)], side), 5.0, 50.0)


def _psoas(canvas: Canvas, z: float) -> None:
    if not -395 < z < -95:
        return
    size = key(z, [(-95, 0.25), (-150, 0.7), (-220, 1.0), (-300, 0.95), (-395, 0.6)])
    x = key(z, [(-95, 24), (-220, 41), (-290, 62), (-340, 82), (-395, 98)])
    y = key(z, [(-95, 46), (-160, 34), (-220, 26), (-290, 6), (-340, -34), (-395, -30)])
    for side in SIDES:
        canvas.ellipse(x * side, y, 19 * size, 22 * size, 58.0, 0.35 * side)
        if z < -130:
            canvas.ellipse((x + 33) * side, y + 20, 17 * size, 12 * size, 56.0, -0.7 * side)
        if -322 < z < -218:
            canvas.stroke(mirrored([(72, 38), (96, 8), (108, -16)], side), 15, 57.0)


def _bowel(canvas: Canvas, build: Build, z: float, bowel: list[_Loop]) -> None:
    wall = build.hu(36, 78)
    for x, y, cz, rx, ry, turn, holds in bowel:
        t = (z - cz) / 17
        if abs(t) >= 1:
            continue
        full = float(np.sqrt(1 - t * t))
        dx, dy = x + 7 * t * np.cos(turn), y + 5 * t * np.sin(turn)
        canvas.ellipse(dx, dy, rx * full, ry * full, wall, turn)
        inner = {0: 12.0, 1: 22.0, 2: 30.0, 3: 16.0, 4: 34.0, 5: -760.0}[holds]
        if holds == 5:
            canvas.ellipse(dx, dy, (rx - 2.4) * full, (ry - 2.4) * full, 18.0, turn)
            canvas.ellipse(dx, dy - ry * 0.3, rx * 0.55 * full, ry * 0.35 * full, -880.0)
        else:
            canvas.ellipse(dx, dy, (rx - 2.6) * full, (ry - 2.6) * full, inner, turn)
            for k in range(3):
                canvas.ellipse(dx + 4 * np.cos(turn + k * 2.1), dy + 3 * np.sin(turn + k * 2.1),
                               1.1, 1.1, wall)  # fmt: skip
    for k in range(16):
        a = k * 2.4 + build.seed
        x, y = 62 * np.cos(a) * (0.3 + 0.045 * k), -22 + 30 * np.sin(a + z / 90)
        canvas.ellipse(x, y, 1.5, 1.5, build.hu(38, 140))


def _segment(
    canvas: Canvas, x: float, y: float, r: float, z: float, part: int, wall: float
) -> None:
    wobble = 1 + 0.14 * np.sin(z / 8 + part * 2)
    rx, ry = r * wobble, r * 0.92 / wobble
    canvas.polygon(superellipse(x, y, rx, ry, 2.3), wall)
    canvas.polygon(superellipse(x, y, rx - 2.2, ry - 2.2, 2.3), 20.0)
    air = 0.35 + 0.4 * np.sin(z / 31 + part)
    if air > 0.12:
        canvas.polygon(
            superellipse(x, y - ry * (0.75 - air * 0.75), rx - 3, (ry - 3) * air, 2.2), -930.0
        )
    for k in range(7):
        a = k * 0.9 + z / 11 + part
        canvas.ellipse(x + rx * 0.5 * np.cos(a), y + ry * (0.25 + 0.35 * np.sin(a)), 1.9, 1.5,
                       -260.0 if k % 2 else 34.0)  # fmt: skip


def _colon(canvas: Canvas, build: Build, z: float) -> None:
    wall = build.hu(38, 72)
    if -300 < z < -130:
        r = key(z, [(-300, 21), (-270, 25), (-130, 19)])
        _segment(canvas, key(z, [(-300, -80), (-220, -98), (-130, -94)]), key(
            z, [(-300, -14), (-220, -6), (-130, -18)]), r, z, 0, wall)  # fmt: skip
    if -300 < z < -92:
        r = key(z, [(-300, 11), (-92, 15)])
        _segment(canvas, key(z, [(-300, 96), (-200, 104), (-92, 102)]), key(
            z, [(-300, 6), (-200, 8), (-92, -8)]), r, z, 3, wall)  # fmt: skip
    if -186 < z < -142:
        sag = [
            (x, -48 - 10 * np.cos(x / 60) + 4 * np.sin(x / 9 + z / 14)) for x in range(-84, 90, 12)
        ]
        full = float(np.sqrt(max(0.04, 1 - ((z + 164) / 22) ** 2)))
        canvas.stroke(sag, 27 * full, wall)
        canvas.stroke(sag, 22 * full, 16.0)
        canvas.stroke([(x, y - 4 * full) for x, y in sag[2:-2]], 11 * full, -900.0)
    if -345 < z < -296:
        x = key(z, [(-296, 84), (-320, 40), (-345, 12)])
        _segment(canvas, x, key(z, [(-296, 6), (-320, 20), (-345, 42)]), 14, z, 5, wall)


def _pancreas(canvas: Canvas, build: Build, z: float) -> None:
    if not -142 < z < -84:
        return
    value = build.hu(38, 98)
    y = spine_y(z)
    if z > -118:
        body = [(-12, y - 50), (8, y - 58), (34, y - 50), (58, y - 30), (80, y - 16)]
        shift = key(z, [(-118, 8), (-84, -6)])
        for k, (a, b) in enumerate(pairwise(body)):
            wave = 13.5 + 2.2 * np.sin(k * 2 + z / 5)
            canvas.stroke([(a[0], a[1] + shift), (b[0], b[1] + shift)], wave, value)
        canvas.stroke([(4, y - 44 + shift), (36, y - 38 + shift), (72, y - 8 + shift)], 5.5,
                      build.hu(42, 160))  # fmt: skip
    if z < -100:
        full = float(np.sqrt(max(0.0, 1 - ((z + 122) / 22) ** 2)))
        canvas.blob([(-30 * full - 4, y - 52), (-10, y - 58), (-4, y - 44), (-14, y - 34),
                     (-30 * full - 4, y - 38)], value)  # fmt: skip
        canvas.ellipse(-42, y - 44, 12 * full, 15 * full, build.hu(36, 75))
        canvas.ellipse(-42, y - 44, 8 * full, 11 * full, 14.0)
        canvas.ellipse(-24, y - 40, 2.6, 2.6, 8.0)


def _stomach(canvas: Canvas, build: Build, z: float) -> None:
    if not -128 < z < SPLEEN_TOP:
        return
    wall = build.hu(40, 85)
    rise = dome(z, SPLEEN_TOP, 56) * 0.96
    fold = key(z, [(-128, 0.45), (-80, 0.8), (-30, 1.0)])
    shape = [(12 + 22 * (1 - fold), -66), (52, -74), (86 * rise, -58), (98 * rise, -22),
        (88 * rise, 14),
             (62, 30 * fold), (44, 8), (34, -24), (14, -44)]  # fmt: skip
    centre = (58.0, -22.0)
    shape = [(centre[0] + (x - centre[0]) * rise * fold, centre[1] + (y - centre[1]) * rise * fold)
             for x, y in shape]  # fmt: skip
    canvas.blob(shape, wall)
    inner = [
        (centre[0] + (x - centre[0]) * 0.90, centre[1] + (y - centre[1]) * 0.90) for x, y in shape
    ]
    canvas.blob(inner, 24.0)
    level = -44.0
    air = [(x, min(y, level)) for x, y in inner]
    if min(y for _, y in air) < level - 4:
        canvas.blob([p for p in air if p[1] < level] + [(x, level) for x,
            y in inner if y < level][::-1],
                    -940.0)  # fmt: skip
    for k in range(8):
        canvas.ellipse(50 + 6 * k - 18, -6 + 11 * np.sin(k * 2.3 + z / 9), 2.4, 1.8, 46.0)


def _pelvic_organs(canvas: Canvas, build: Build, z: float) -> None:
    full = float(np.sqrt(max(0.0, 1 - ((z + 368) / 34) ** 2)))
    if full > 0:
        canvas.polygon(superellipse(0, -22, 38 * full + 2.6, 27 * full + 2.6, 2.3), 42.0)
        canvas.polygon(superellipse(0, -22, 38 * full, 27 * full, 2.3), 6.0)
    if build.sex == "F":
        womb = float(np.sqrt(max(0.0, 1 - ((z + 340) / 32) ** 2)))
        canvas.ellipse(3, 12, 26 * womb, 18 * womb, build.hu(48, 105), 0.12)
        canvas.ellipse(3, 12, 9 * womb, 3.4 * womb, build.hu(40, 72), 0.12)
        for side in SIDES:
            oval = float(np.sqrt(max(0.0, 1 - ((z + 330) / 14) ** 2)))
            canvas.ellipse(44 * side, 14, 13 * oval, 9 * oval, 36.0)
            canvas.ellipse(47 * side, 13, 4.4 * oval, 4.2 * oval, 9.0)
    elif -410 < z < -376:
        canvas.ellipse(0, 6, 22, 16, build.hu(42, 80))
    if z < -325:
        canvas.ellipse(0, 52, 16, 15, 44.0)
        canvas.ellipse(1, 51, 10, 8, -180.0)
    if z < -372:
        canvas.ellipse(0, 50, 20, 17, 50.0)
        for side in SIDES:
            canvas.stroke(mirrored([(20, 64), (34, 44), (44, 10)], side), 6, 52.0)
            canvas.stroke(mirrored([(50, 30), (66, 8), (62, -18)], side), 15, 54.0)
    if z < -338:
        for side in SIDES:
            canvas.ellipse(108 * side, -52, 26, 20, 56.0)
            canvas.ellipse(128 * side, 62, 30, 22, 56.0)


def liver_texture(build: Build, size: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Return the slow unevenness of soft tissue, in HU."""
    return smooth_noise(np.random.default_rng(build.seed + 5), (size, size), (22.0, 22.0))
