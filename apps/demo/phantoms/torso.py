"""A human trunk, drawn slice by slice in Hounsfield units.

Coordinates are DICOM's (LPS): x to the patient's left, y to the back, z to the head, in mm of a
person of middle size with z = 0 at the dome of the diaphragm; `Build.scale` makes people taller or
shorter.
"""

from dataclasses import dataclass, field

import numpy as np

from apps.demo.phantoms.canvas import Canvas, Points, key, mirrored, superellipse

AIR, LUNG, FAT, SKIN, MUSCLE = -1000.0, -850.0, -100.0, 10.0, 52.0
CORTEX, MARROW, WATER = 720.0, 210.0, 4.0
SIDES = (-1, 1)

_HALF_WIDTH = [(260, 168), (235, 176), (205, 172), (150, 166), (80, 164), (0, 158), (-90, 148),
               (-180, 143), (-240, 152), (-320, 168), (-380, 166), (-430, 160)]  # fmt: skip
_HALF_DEPTH = [(260, 78), (220, 95), (150, 112), (80, 116), (0, 112), (-90, 104), (-180, 98),
               (-250, 102), (-330, 108), (-400, 104)]  # fmt: skip
_CAVITY_WIDTH = [(252, 40), (240, 62), (215, 88), (180, 112), (140, 126), (80, 136), (20, 138),
                 (-50, 133), (-120, 126), (-180, 122), (-240, 124), (-300, 118)]  # fmt: skip
_CAVITY_FRONT = [(252, -30), (235, -48), (200, -68), (140, -86), (80, -93), (0, -90), (-90, -80),
                 (-180, -72), (-250, -76), (-330, -74)]  # fmt: skip
_CAVITY_BACK = [(252, 40), (235, 58), (200, 74), (140, 85), (60, 90), (-60, 84), (-120, 70),
                (-180, 58), (-240, 60)]  # fmt: skip
_SPINE_Y = [(250, 40), (150, 58), (60, 56), (-60, 42), (-160, 26), (-220, 30), (-260, 48)]
_VERTEBRA_MM = 30.0
_DISC_MM = 7.0
_SACRUM_TOP = -238.0


@dataclass(frozen=True)
class Build:
    """What makes one trunk differ from another; two exams of one person share it."""

    seed: int
    sex: str = "F"
    scale: float = 1.0
    fat_mm: float = 18.0
    heart: float = 1.0
    contrast: bool = False
    nodule_mm: float = 0.0
    effusion_mm: float = 0.0
    liver_cyst_mm: float = 0.0
    kidney_stone_mm: float = 0.0
    nodule_at: tuple[float, float, float] = field(default=(72.0, -28.0, 168.0))

    def hu(self, plain: float, enhanced: float) -> float:
        """Return the value of a tissue in this exam's phase."""
        return enhanced if self.contrast else plain


def spine_y(z: float) -> float:
    """Return y of the vertebral bodies' centre."""
    return key(z, _SPINE_Y)


def cavity(z: float, grow_mm: float = 0.0) -> Points:
    """Return the inner outline of chest and belly, widened by `grow_mm`."""
    front, back = key(z, _CAVITY_FRONT) - grow_mm, key(z, _CAVITY_BACK) + grow_mm
    return superellipse(
        0, (front + back) / 2, key(z, _CAVITY_WIDTH) + grow_mm, (back - front) / 2, 2.35
    )


def draw_wall(canvas: Canvas, build: Build, z: float) -> None:
    """Draw skin, fat and the muscles outside the ribs."""
    fat = build.fat_mm
    width, depth = key(z, _HALF_WIDTH) + fat, key(z, _HALF_DEPTH) + fat * 0.8
    canvas.polygon(superellipse(0, 4, width, depth, 2.35), SKIN)
    canvas.polygon(superellipse(0, 4, width - 2.0, depth - 2.0, 2.35), FAT)
    if build.sex == "F" and 20 < z < 170:
        _breasts(canvas, z, depth)
    canvas.polygon(superellipse(0, 4, width - fat * 1.0, depth - fat * 0.9, 2.4), MUSCLE)
    if z > -20:
        _chest_muscles(canvas, z)
    else:
        _belly_muscles(canvas, z, width - fat)
    _back_muscles(canvas, z)


def _breasts(canvas: Canvas, z: float, depth: float) -> None:
    fullness = float(np.sqrt(max(0.0, 1 - ((z - 85) / 68) ** 2)))
    for side in SIDES:
        x, y = 82.0 * side, 4 - depth + 22
        canvas.ellipse(x, y, 62 * fullness, 52 * fullness, SKIN)
        canvas.ellipse(x, y, 62 * fullness - 2, 52 * fullness - 2, FAT)
        for k, (dx, dy, r) in enumerate([(0, -16, 20), (-14, -8, 13), (15, -6, 14), (4, 6, 12)]):
            wave = 1 + 0.25 * np.sin(z / 9 + k)
            canvas.ellipse(x + dx, y + dy, r * fullness * wave, 7 * fullness * wave, 28.0, 0.4 * k)


def _chest_muscles(canvas: Canvas, z: float) -> None:
    canvas.polygon(cavity(z, 21), FAT)
    canvas.polygon(cavity(z, 18.5), MUSCLE - 6)
    canvas.polygon(cavity(z, 13.5), FAT + 25)
    canvas.polygon(cavity(z, 12.0), MUSCLE - 2)
    canvas.polygon(cavity(z, 2.4), 25.0)
    canvas.polygon(cavity(z, 0.8), FAT + 12)
    front = key(z, _CAVITY_FRONT)
    wide = key(z, _CAVITY_WIDTH)
    for side in SIDES:
        if z > 60:
            thick = key(z, [(60, 4), (110, 12), (180, 17), (240, 12)])
            canvas.blob(
                mirrored(
                    [(8, front - 16), (45, front - 20 - thick * 0.6), (85, front - 4 - thick * 0.5),
                     (wide + 16, front + 38), (wide - 2, front + 34), (70, front - 2),
                     (40, front - 13)], side), MUSCLE + 6)  # fmt: skip
        if z > 10:
            canvas.blob(
                mirrored(
                    [(wide + 14, -28), (wide + 27, 5), (wide + 20, 48), (wide - 14, 86),
                     (wide - 26, 84), (wide + 8, 45), (wide + 15, 4)], side),
                     MUSCLE + 4)  # fmt: skip
            canvas.stroke(
                mirrored([(wide + 12, -22), (wide + 17, 20), (wide + 2, 62)], side), 2.2, FAT + 8
            )
        if z > 150:
            _shoulder(canvas, z, side, wide)
        if 110 < z < 238:
            _scapula(canvas, z, side)
        if z > 218:
            canvas.ellipse(158 * side, 8, 25, 24, CORTEX - 150)
            canvas.ellipse(158 * side, 8, 21, 20, MARROW + 30)
        if abs(z - 236) < 9:
            clavicle = mirrored([(22, -44), (70, -58), (112, -40), (140, -14)], side)
            canvas.stroke(clavicle, 13, CORTEX)
            canvas.stroke(clavicle, 6.5, MARROW)


def _shoulder(canvas: Canvas, z: float, side: int, wide: float) -> None:
    """Armpit: fat with vessels between chest wall and the muscles of the arm."""
    full = key(z, [(150, 0.35), (185, 1.0), (222, 0.8), (250, 0.3)])
    canvas.blob(mirrored([(wide + 17, -20), (wide + 30 * full, -34 * full), (wide + 46 * full, -8),
                          (wide + 36 * full, 26 * full), (wide + 18, 30)], side),
                          FAT + 5)  # fmt: skip
    for k, (dx, dy, r) in enumerate([(26, -10, 4.2), (31, -1, 3.4), (24, 8, 2.2), (36, 12, 2.6)]):
        canvas.ellipse((wide + dx * full + k) * side, dy, r, r * 0.8, 44.0)


def _scapula(canvas: Canvas, z: float, side: int) -> None:
    wide = key(z, _CAVITY_WIDTH)
    back = key(z, [(110, 0), (180, -6), (240, -22)])
    blade = [(70, 100 + back), (98, 90 + back), (wide + 12, key(z, [(110, 70), (230, 36)]))]
    canvas.stroke(mirrored(blade, side), 22, MUSCLE + 8)
    canvas.stroke(mirrored(blade, side), 6.0, CORTEX - 220)
    canvas.stroke(mirrored(blade, side), 2.5, MARROW)
    if z > 195:
        spine = mirrored([(92, 92 + back), (122, 86 + back), (150, 52)], side)
        canvas.stroke(spine, 7, CORTEX - 120)
        canvas.stroke(spine, 3, MARROW)


def _belly_muscles(canvas: Canvas, z: float, outer: float) -> None:
    """Three flat muscles at the flank with fat between, the straight one in front."""
    wide, front = key(z, _CAVITY_WIDTH), key(z, _CAVITY_FRONT)
    gap = max(6.0, outer - wide)
    for share in (0.36, 0.68):
        canvas.polygon(cavity(z, gap * share + 0.8), FAT + 20)
        canvas.polygon(cavity(z, gap * share - 0.8), MUSCLE)
    for side in SIDES:
        canvas.blob(
            mirrored([(3, front - 2), (28, front - 1), (56, front + 7), (58, front - 2),
                      (32, front - 12), (4, front - 12)], side), MUSCLE + 4)  # fmt: skip
    canvas.stroke([(0, front - 16), (0, front)], 3.5, FAT + 30)
    if z < -270:
        for side in SIDES:
            for line in ([(outer - 6, -46), (136, -4), (outer - 8, 40)],
                         [(120, -86), (104, -52), (120, -24), (134, -30)]):  # fmt: skip
                canvas.stroke(mirrored(line, side), 3.4, FAT + 4)
            canvas.blob(
                mirrored([(38, 60), (88, 62), (134, 34), (150, 52), (120, 96), (62, 112),
                          (24, 96)], side), MUSCLE + 2)  # fmt: skip
            canvas.stroke(mirrored([(52, 80), (96, 74), (136, 46)], side), 3.0, FAT + 6)
            canvas.stroke(mirrored([(30, 74), (44, 96), (40, 108)], side), 2.2, FAT + 10)


def _back_muscles(canvas: Canvas, z: float) -> None:
    y = spine_y(z)
    size = key(z, [(240, 0.7), (100, 0.8), (-60, 1.0), (-180, 1.15), (-260, 0.8)])
    if z < -300:
        return
    for side in SIDES:
        canvas.blob(
            mirrored([(7, y + 30), (26 * size, y + 20), (58 * size, y + 26), (62 * size, y + 44),
                      (38 * size, y + 56), (10, y + 52)], side), MUSCLE + 8)  # fmt: skip
        canvas.stroke(mirrored([(30, y + 26), (34, y + 40), (30, y + 54)], side), 1.4, FAT + 40)


def draw_spine(canvas: Canvas, z: float) -> None:
    """Draw vertebra or disc, canal, cord, and the processes of this level."""
    if z < _SACRUM_TOP:
        return
    y = spine_y(z)
    lumbar = key(z, [(-20, 0.0), (-110, 1.0)])
    rx, ry = 16 + 8.5 * lumbar, 14.5 + 3.0 * lumbar
    phase = (z - _SACRUM_TOP) % _VERTEBRA_MM
    in_disc = phase < _DISC_MM
    body = [(-rx * 0.62, y + ry * 0.86), (-rx, y + ry * 0.2), (-rx * 0.8, y - ry * 0.72),
            (0, y - ry), (rx * 0.8, y - ry * 0.72), (rx, y + ry * 0.2),
            (rx * 0.62, y + ry * 0.86), (0, y + ry * 0.72)]  # fmt: skip
    if in_disc:
        canvas.blob(body, 92.0)
    else:
        edge = 3.0 if 1.5 < phase - _DISC_MM < _VERTEBRA_MM - _DISC_MM - 1.5 else 9.0
        canvas.blob(body, CORTEX - 200)
        shrink = 1 - edge / 16
        canvas.blob([(px * shrink, y + (py - y) * shrink) for px, py in body], MARROW)
        canvas.stroke([(0, y + ry * 0.25), (0, y + ry * 0.72)], 2.6, 90.0)
    back = y + ry * 0.78
    pedicle = _DISC_MM + 8 < phase < _DISC_MM + 19
    lamina = phase > _DISC_MM + 4 or phase < 4
    if lamina:
        for side in SIDES:
            canvas.stroke([(11.5 * side, back + 13), (0, back + 23)], 6.4, CORTEX)
            canvas.stroke([(11.0 * side, back + 13), (0, back + 23)], 2.4, MARROW + 60)
            canvas.ellipse(15 * side, back + 9, 5.2, 6.2, CORTEX)
            canvas.ellipse(15 * side, back + 9, 2.8, 3.6, MARROW + 60)
            if pedicle:
                canvas.stroke([(12.5 * side, back - 3), (13.5 * side, back + 9)], 7.5, CORTEX - 60)
                canvas.stroke([(12.5 * side, back - 3), (13.5 * side, back + 9)], 3.2, MARROW + 40)
                reach, drop = (40, 12) if lumbar < 0.5 else (47, 3)
                process = [
                    (16 * side, back + 8),
                    (30 * side, back + 9),
                    (reach * side, back + drop),
                ]
                canvas.stroke(process, 6.6, CORTEX - 80)
                canvas.stroke(process, 2.8, MARROW + 30)
    if phase > _DISC_MM - 2:
        canvas.stroke([(0, back + 22), (0, back + 39)], 6.5, CORTEX - 40)
        canvas.stroke([(0, back + 23), (0, back + 37)], 2.6, MARROW + 40)
    canvas.ellipse(0, back + 8, 10.5, 8.5, -15.0)
    canvas.ellipse(0, back + 8, 8.0, 7.0, 18.0)
    if z > -90:
        canvas.ellipse(0, back + 8, 5.0, 4.0, 40.0)


def draw_ribs(canvas: Canvas, z: float) -> None:
    """Draw the pieces of the twelve pairs that cross this slice, and the breastbone."""
    outline = cavity(z, 7.5)
    angle = np.arctan2(outline[:, 1] - 10, outline[:, 0])
    from_back = np.abs(((np.pi / 2 - angle) + np.pi) % (2 * np.pi) - np.pi) / np.pi
    side_of = np.where(outline[:, 0] >= 0, 1, -1)
    for number in range(1, 13):
        start = 252 - (number - 1) * 27.0
        drop = key(number, [(1, 30), (4, 66), (8, 95), (10, 90), (12, 50)])
        reach = key(number, [(1, 0.92), (7, 0.92), (10, 0.72), (11, 0.5), (12, 0.34)])
        level = start - drop * np.minimum(from_back, reach) ** 0.85
        near = (np.abs(level - z) < 5.2) & (from_back > 0.12) & (from_back < reach)
        for side in SIDES:
            pick = near & (side_of == side)
            if pick.sum() < 1:
                continue
            order = np.argsort(from_back[pick])
            piece = outline[pick][order]
            if len(piece) == 1:
                piece = np.concatenate([piece, piece + 1.5])
            cartilage = float(from_back[pick].mean()) > 0.80
            canvas.stroke(piece, 8.2 if cartilage else 7.6, 110.0 if cartilage else CORTEX)
            if not cartilage:
                canvas.stroke(piece, 3.4, MARROW + 40)
    if 48 < z < 222:
        front = key(z, _CAVITY_FRONT) - 9
        width = key(z, [(48, 9), (80, 17), (180, 19), (215, 31)])
        shape = superellipse(0, front, width, 7.0, 2.6)
        canvas.polygon(shape, CORTEX - 280)
        canvas.polygon(superellipse(0, front, width - 2.6, 4.4, 2.6), MARROW - 50)


def draw_pelvis(canvas: Canvas, z: float) -> None:
    """Draw iliac wings, sacrum, hip joints and pubic bones."""
    if -345 < z < _SACRUM_TOP + 4:
        size = key(z, [(-345, 0.35), (-300, 0.8), (-245, 1.0)])
        y = key(z, [(-345, 92), (-300, 76), (-240, 50)])
        shape = [(-50 * size, y - 6), (-26 * size, y - 14 * size), (26 * size, y - 14 * size),
                 (50 * size, y - 6), (36 * size, y + 14 * size), (8, y + 26 * size),
                 (-8, y + 26 * size), (-36 * size, y + 14 * size)]  # fmt: skip
        canvas.blob(shape, CORTEX - 330)
        canvas.blob([(x * 0.93, y + (v - y) * 0.85) for x, v in shape], MARROW - 90)
        for side in SIDES:
            canvas.ellipse(20 * side * size, y - 1, 5.5 * size, 4.5 * size, -20.0)
        canvas.ellipse(0, y + 8 * size, 8 * size, 4 * size, 5.0)
    for side in SIDES:
        if -318 < z < -205:
            spread = key(z, [(-318, 0.0), (-270, 0.8), (-210, 1.0)])
            wing = [(54, 66), (80, 44 - 8 * spread), (106, 12 - 18 * spread),
                    (118 + 12 * spread, -22 - 22 * spread)]  # fmt: skip
            if z > -225:
                wing = wing[1:3]
            if z < -300:
                wing = [(62, 60), (84, 40), (98, 16)]
            canvas.stroke(mirrored(wing, side), 13.5, CORTEX - 30)
            canvas.stroke(mirrored(wing, side), 7.5, MARROW + 20)
        if -385 < z <= -312:
            depth = float(np.sqrt(max(0.0, 1 - ((z + 348) / 40) ** 2)))
            canvas.ellipse(88 * side, 6, 33 * depth, 34 * depth, CORTEX - 40)
            canvas.ellipse(88 * side, 6, 28.5 * depth, 29.5 * depth, MARROW + 10)
            head = float(np.sqrt(max(0.0, 1 - ((z + 348) / 25) ** 2)))
            if head > 0:
                canvas.ellipse(92 * side, 6, 26.5 * head, 26.5 * head, 70.0)
                canvas.ellipse(92 * side, 6, 24 * head, 24 * head, CORTEX - 60)
                canvas.ellipse(92 * side, 6, 21.5 * head, 21.5 * head, MARROW + 120)
        if -425 < z < -335:
            slim = key(z, [(-425, 0.9), (-380, 1.15), (-345, 0.75), (-335, 0.4)])
            neck = [(100, 8), (122, 14)] if z > -378 else [(124, 14), (127, 15)]
            canvas.stroke(mirrored(neck, side), 24 * slim, CORTEX - 30)
            canvas.stroke(mirrored(neck, side), 17 * slim, MARROW + 20)
            canvas.ellipse(130 * side, 18, 15 * slim, 17 * slim, CORTEX - 60)
            canvas.ellipse(130 * side, 18, 12 * slim, 14 * slim, MARROW - 20)
        if -410 < z < -360:
            bar = [(5, -52), (30, -46), (58, -30), (74, -8)]
            canvas.stroke(mirrored(bar, side), 14, CORTEX - 80)
            canvas.stroke(mirrored(bar, side), 8, MARROW + 10)
        if -425 < z < -365:
            canvas.ellipse(60 * side, 36, 14, 20, CORTEX - 80, -0.4 * side)
            canvas.ellipse(60 * side, 36, 10, 15, MARROW + 10, -0.4 * side)
