"""Ultrasound loops: echo strength in the fan of a curved probe, speckle, shadows, movement."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from apps.demo.phantoms.canvas import Canvas, Floats, blur, smooth_noise

_BEAMS, _SAMPLES = 220, 460
_HALF_ANGLE = 0.60
_PROBE_MM = 55.0


@dataclass(frozen=True)
class UltrasoundBuild:
    """What makes one belly differ from another. `view` is `liver`, `kidney` or `heart`."""

    seed: int
    view: str = "liver"
    depth_mm: float = 150.0
    stone_mm: float = 0.0
    cyst_mm: float = 0.0


@dataclass(frozen=True)
class Fan:
    """Where the fan lies on the screen; the region of (0018,6011) is made from it."""

    rows: int
    cols: int
    top: int
    mm_per_px: float
    left: int
    right: int
    bottom: int


def fan(build: UltrasoundBuild, rows: int = 480, cols: int = 640) -> Fan:
    """Return the geometry of the picture on screen."""
    top = 34
    mm_per_px = build.depth_mm / (rows - top - 22)
    reach = (_PROBE_MM + build.depth_mm) * np.sin(_HALF_ANGLE) / mm_per_px
    middle = cols / 2
    return Fan(rows, cols, top, mm_per_px, max(0, int(middle - reach)), min(cols - 1,
        int(middle + reach)),
               rows - 20)  # fmt: skip


def cine(
    build: UltrasoundBuild, frames: int, rows: int = 480, cols: int = 640
) -> npt.NDArray[np.uint8]:
    """Return a loop of breathing (or of a heart beat), (frames, rows, cols) uint8."""
    rng = np.random.default_rng(build.seed)
    place = fan(build, rows, cols)
    lookup = _scan_conversion(place)
    speckle = [_speckle(rng) for _ in range(2)]
    texture = smooth_noise(rng, (_SAMPLES + 60, _BEAMS + 40), (34, 22))
    out = np.zeros((frames, rows, cols), dtype=np.uint8)
    chrome = _chrome(place, build)
    for k in range(frames):
        phase = 2 * np.pi * k / frames
        echo, through = _scene(build, phase)
        if build.view == "heart":
            slip, drift = 4 * np.sin(phase), 0.0
        else:
            slip, drift = 9 * np.sin(phase), 3 * np.cos(phase)
        a, b = 30 + round(slip), 20 + round(drift)
        grain = speckle[0][a : a + _SAMPLES, b : b + _BEAMS] * 0.8
        grain = grain + 0.2 * speckle[k % 2][30 : 30 + _SAMPLES, 20 : 20 + _BEAMS]
        uneven = 1 + 0.12 * texture[a : a + _SAMPLES, b : b + _BEAMS]
        signal = echo * uneven * grain * through
        signal = 0.25 * np.roll(signal, 1, 1) + 0.5 * signal + 0.25 * np.roll(signal, -1, 1)
        shown = np.clip(0.5 + np.log10(np.maximum(signal, 1e-4)) / 2.3, 0, 1)
        polar = (shown * 255).astype(np.uint8)
        frame = polar.ravel()[lookup[0]] * lookup[1]
        out[k] = np.maximum(frame.astype(np.uint8), chrome)
    return out


def _scan_conversion(place: Fan) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    y, x = np.mgrid[0 : place.rows, 0 : place.cols].astype(np.float32)
    across = (x - place.cols / 2) * place.mm_per_px
    down = (y - place.top) * place.mm_per_px + _PROBE_MM
    radius, angle = np.hypot(across, down), np.arctan2(across, down)
    depth = (place.rows - place.top - 22) * place.mm_per_px
    row = (radius - _PROBE_MM) / depth * (_SAMPLES - 1)
    col = (angle + _HALF_ANGLE) / (2 * _HALF_ANGLE) * (_BEAMS - 1)
    inside = (row >= 0) & (row <= _SAMPLES - 1) & (col >= 0) & (col <= _BEAMS - 1)
    flat = np.clip(row, 0, _SAMPLES - 1).astype(int) * _BEAMS + np.clip(col, 0, _BEAMS - 1).astype(
        int
    )
    return flat, inside


def _speckle(rng: np.random.Generator) -> Floats:
    """Return fully developed speckle of mean 1, finer along the beam than across it."""
    size = (_SAMPLES + 60, _BEAMS + 40)
    parts = []
    for _ in range(2):
        field = rng.standard_normal(size, dtype=np.float32)
        field = blur(field)
        wide = (np.roll(field, 1, 1) + 2 * field + np.roll(field, -1, 1)) / 4
        parts.append(wide / wide.std())
    strength = np.sqrt(parts[0] ** 2 + parts[1] ** 2)
    return np.asarray(strength / strength.mean(), dtype=np.float32)


def _scene(build: UltrasoundBuild, phase: float) -> tuple[Floats, Floats]:
    """Return echo strength and what is left of the beam, both (samples, beams)."""
    # The plane is drawn once in space (x across, y deep) and then read along the beams.
    size = 320
    mm = (build.depth_mm + 30) / size
    plane = Canvas(size, size, mm, (-(size - 1) * mm / 2, -8.0), 0.35, supersample=1)
    lift = 7 * np.sin(phase)
    {"liver": _liver, "kidney": _kidney, "heart": _heart}[build.view](plane, build, lift, phase)
    image = blur(plane.array())
    r = np.linspace(0, build.depth_mm, _SAMPLES, dtype=np.float32)[:, None] + _PROBE_MM
    angle = np.linspace(-_HALF_ANGLE, _HALF_ANGLE, _BEAMS, dtype=np.float32)[None, :]
    col = np.clip(r * np.sin(angle) / mm + (size - 1) / 2, 0, size - 1).astype(int)
    row = np.clip((r * np.cos(angle) - _PROBE_MM + 8) / mm, 0, size - 1).astype(int)
    echo = image[row, col]
    depth = (r - _PROBE_MM) / build.depth_mm
    loss = np.where(echo > 6.0, 0.16, np.where(echo < 0.02, -0.004, 0.0006))
    through = np.exp(-np.cumsum(loss, axis=0)) * (1.15 - 0.55 * depth)
    near = 1 + 1.6 * np.exp(-depth * 34)
    return np.maximum(echo, 0.004), np.clip(through * near, 0.015, 2.2).astype(np.float32)


def _wall(plane: Canvas) -> None:
    """Skin, fat and muscle in bright and dark layers above the organs."""
    for y, width, value in (
        (3, 8, 0.75),
        (10, 5, 0.30),
        (13, 1.2, 1.6),
        (17, 6, 0.22),
        (21, 1.4, 1.8),
    ):
        plane.stroke([(-130, y + 7), (-60, y + 1), (0, y), (60, y + 1), (130, y + 7)], width, value)


def _liver(plane: Canvas, build: UltrasoundBuild, lift: float, phase: float) -> None:
    plane.blob([(-140, 10), (140, 10), (140, 92 + lift), (70, 112 + lift), (0, 128 + lift), (-80,
        124 + lift),
                (-140, 104 + lift)], 0.42)  # fmt: skip
    plane.stroke([(-140, 106 + lift), (-80, 126 + lift), (0, 130 + lift), (70, 114 + lift), (140,
        94 + lift)],
                 2.6, 5.5)  # fmt: skip
    for k, (x, y, r) in enumerate([(-46, 66, 4.6), (-6, 74, 5.6), (42, 62, 4.4)]):
        pulse = 1 + 0.10 * np.sin(phase + k)
        path = [
            (x, y + lift),
            (x * 0.7 + 8, y + 18 + lift),
            (x * 0.35 + 8, y + 34 + lift),
            (10, 116 + lift),
        ]
        for j in range(3):
            plane.stroke(path[j : j + 2], r * (0.8 + 0.4 * j) * pulse, 0.012)
    portal = [[(24, 70), (8, 62), (-10, 64), (-26, 54), (-44, 52)], [(8, 62), (14, 50), (10, 40)],
              [(-26, 54), (-34, 44), (-36, 36)], [(-10, 64), (-22, 76), (-36, 82)]]  # fmt: skip
    for width, value in ((3.2, 1.5), (0.0, 0.015)):
        for k, line in enumerate(portal):
            points = [(x, y + lift) for x, y in line]
            plane.stroke(points, (5.4 if k == 0 else 3.0) + width, value)
    for x, y in ((-84, 70), (-70, 92), (74, 46), (30, 96), (84, 76), (-20, 100), (60, 36)):
        plane.ellipse(x, y + lift, 2.6, 1.5, 0.06, 0.4)
    if build.stone_mm or build.seed % 2:
        plane.ellipse(54, 84 + lift, 15, 26, 1.5, 0.5)
        plane.ellipse(54, 84 + lift, 13, 24, 0.008, 0.5)
        if build.stone_mm:
            r = build.stone_mm / 2
            plane.ellipse(48, 99 + lift, r * 1.25, r * 0.8, 9.0)
    if build.cyst_mm:
        plane.ellipse(-72, 52 + lift, build.cyst_mm / 2 + 0.8, build.cyst_mm / 2 + 0.8, 0.9)
        plane.ellipse(-72, 52 + lift, build.cyst_mm / 2, build.cyst_mm / 2, 0.008)
    _wall(plane)


def _kidney(plane: Canvas, build: UltrasoundBuild, lift: float, phase: float) -> None:
    del phase
    plane.blob(
        [(-140, 8), (120, 8), (90, 34), (20, 46 + lift), (-50, 54 + lift), (-140, 76 + lift)], 0.42
    )
    plane.stroke([(-110, 60 + lift), (-40, 55 + lift), (20, 47 + lift), (90, 36)], 1.6, 2.4)
    y = 82 + lift
    plane.ellipse(4, y, 61, 29, 2.0, -0.16)
    plane.ellipse(4, y, 59, 27, 0.27, -0.16)
    for k in range(7):
        a = 0.5 + k * 0.9
        plane.ellipse(4 + 42 * np.cos(a), y + 17 * np.sin(a) - 6 * np.cos(a), 7.5, 6, 0.10)
    plane.blob([(-34, y + 7), (-14, y - 7), (14, y - 11), (38, y - 12), (30, y + 2), (2, y + 9),
        (-20, y + 12)],
               2.3)  # fmt: skip
    for x, dy in ((-10, 1), (12, -4), (26, -6)):
        plane.ellipse(x, y + dy, 4.5, 2.6, 0.05)
    if build.stone_mm:
        plane.ellipse(14, y - 1, build.stone_mm / 2, build.stone_mm / 2.6, 9.0)
    if build.cyst_mm:
        plane.ellipse(62, y - 12, build.cyst_mm / 2 + 0.8, build.cyst_mm / 2 + 0.8, 1.2)
        plane.ellipse(62, y - 12, build.cyst_mm / 2, build.cyst_mm / 2, 0.008)
    plane.stroke([(-90, 124 + lift), (0, 118 + lift), (90, 124)], 16, 0.55)
    plane.stroke([(-100, 138), (0, 133), (100, 138)], 3, 4.0)
    _wall(plane)


def _heart(plane: Canvas, build: UltrasoundBuild, lift: float, phase: float) -> None:
    del lift, build
    beat = 0.5 + 0.5 * np.cos(phase)
    valve = np.clip(1.6 * np.sin(phase), 0, 1)
    s = 1 - 0.16 * (1 - beat)
    plane.polygon([(-150, -10), (150, -10), (150, 170), (-150, 170)], 0.10)
    plane.stroke([(-130, 14), (0, 10), (130, 14)], 12, 0.5)
    plane.blob(
        [(0, 18), (50, 50), (64, 100), (54, 146), (0, 152), (-54, 146), (-62, 100), (-48, 50)], 0.9
    )
    plane.blob(
        [(0, 22), (44, 52), (58, 100), (50, 136), (0, 146), (-50, 136), (-56, 100), (-42, 52)], 0.55
    )
    plane.blob([(8, 36), (32 * s + 4, 58), (40 * s + 2, 90), (10, 94), (9 / s, 62)], 0.006)
    plane.blob([(-8, 42), (-28 * s, 60), (-38 * s, 92), (-8, 94), (-6 / s, 66)], 0.006)
    grow = 1 + 0.12 * (1 - beat)
    plane.ellipse(25, 118, 19 * grow, 18 * grow, 0.006)
    plane.ellipse(-24, 118, 19 * grow, 17 * grow, 0.006)
    plane.stroke([(0, 30), (1, 70), (1, 96)], 7, 0.9)
    plane.stroke([(1, 100), (1, 138)], 3, 1.2)
    for side in (-1, 1):
        tip = (side * (22 - 10 * valve), 98 - 16 * valve)
        plane.stroke([(side * 5, 97), (side * 12, 97 - 8 * valve), tip], 1.8, 3.2)
        plane.stroke([(side * 42, 97), (side * (33 + 3 * valve), 97 - 9 * valve),
            (side * (24 + 9 * valve), 98 - 16 * valve)],
                     1.8, 3.2)  # fmt: skip
    plane.stroke([(-58, 104), (-46, 56), (0, 22), (46, 56), (60, 104), (50, 140)], 1.8, 3.0)
    plane.stroke([(-60, 8), (0, 4), (60, 8)], 6, 0.8)


def _chrome(place: Fan, build: UltrasoundBuild) -> npt.NDArray[np.uint8]:
    """Return what the machine prints beside the fan: grey bar, depth marks, index mark."""
    screen = np.zeros((place.rows, place.cols), dtype=np.uint8)
    screen[60:260, place.cols - 14 : place.cols - 6] = np.linspace(250, 5, 200, dtype=np.uint8)[
        :, None
    ]
    middle = place.cols // 2
    for k in range(int(build.depth_mm // 10) + 1):
        y = place.top + round(k * 10 / place.mm_per_px)
        if y < place.rows:
            width = 7 if k % 5 == 0 else 3
            screen[y, place.cols - 30 : place.cols - 30 + width] = 190
    screen[place.top - 18 : place.top - 8, middle - 66 : middle - 63] = 210
    screen[place.top - 18 : place.top - 15, middle - 66 : middle - 58] = 210
    return screen
