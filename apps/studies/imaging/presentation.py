"""What a softcopy presentation state says: which pictures, in which greys, cut and turned how.

A transformation that the state does not hold is none, whatever the image itself says of it.
Source: PS3.4 N.2; PS3.3 A.33.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset
from pydicom.multival import MultiValue

from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.studies.identity import Identity
from apps.studies.imaging.decode import Frame, PresentationError
from apps.studies.imaging.render import Window, displayed, distinct, fraction_in
from apps.studies.retrieve.outgoing import read_header
from apps.studies.retrieve.select import Item, select

GRAYSCALE = "1.2.840.10008.5.1.4.1.1.11.1"
COLOR = "1.2.840.10008.5.1.4.1.1.11.2"
DRAWN = {GRAYSCALE, COLOR}
"""Presentation states that are drawn as the images they refer to."""
MALFORMED = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError)
"""What comes of a state that lacks an attribute, or has a value of another kind."""


class ReferencedImageError(NotFoundError):
    """The picture that a presentation state refers to is absent, or hidden from the actor."""

    code = "studies.no-referenced-image"
    message = "The image that this presentation state refers to is not here, or not yours to see."


@dataclass(frozen=True, slots=True)
class Referenced:
    """A frame that a presentation state shows, and the state for it.

    Attributes:
        identity: what goes out in place of the image's identity as received.
        state: its data set.
        state_digest: which one it is.
    """

    item: Item
    number: int
    identity: Identity | None
    state: Dataset
    state_digest: str


def referenced(*, actor: Actor, door: str, state: Item, picture: int = 1) -> Referenced:
    """Return one of the pictures that a presentation state shows.

    The images are chosen as any others are: the actor must be allowed each of them, and it is
    audited. They may lie in another study.

    Args:
        actor: who asks.
        door: where.
        state: the presentation state, which the actor may have.
        picture: its place among the frames that the state refers to, from 1.

    Raises:
        ReferencedImageError: it is not here, or not for the actor.
        PresentationError: the state refers to none.
    """
    ds = read_header(state)
    wanted = _references(ds)
    if not wanted:
        message = "The presentation state refers to no image."
        raise PresentationError(message)
    try:
        found = select(actor=actor, door=door, sop_instance_uids=[uid for uid, _ in wanted])
    except NotFoundError:
        raise ReferencedImageError from None
    items = {one.sop_instance_uid: (one, group) for group in found for one in group.items}
    place = picture
    for uid, numbers in wanted:
        if uid not in items:
            frames: Sequence[int] = numbers or (1,)  # an absent image has its place all the same
        else:
            frames = numbers or range(1, items[uid][0].frames + 1)
        if 1 <= place <= len(frames):
            if uid not in items:
                raise ReferencedImageError
            item, group = items[uid]
            return Referenced(item, frames[place - 1], group.identity, ds, state.digest)
        place -= len(frames)
    raise NotFoundError


def shown_by(state: Item, *, item: Item, number: int, identity: Identity | None) -> Referenced:
    """Return a frame, which the actor may have, as a presentation state shows it.

    Raises:
        PresentationError: the state does not refer to it.
    """
    ds = read_header(state)
    for uid, numbers in _references(ds):
        if uid == item.sop_instance_uid and (not numbers or number in numbers):
            return Referenced(item, number, identity, ds, state.digest)
    message = "The presentation state does not refer to this image."
    raise PresentationError(message)


def _references(ds: Dataset) -> list[tuple[str, list[int]]]:
    """Return each image with its frames; no frames mean all (PS3.3 C.11.11)."""
    try:
        return [
            (str(image.ReferencedSOPInstanceUID), _numbers(image.get("ReferencedFrameNumber")))
            for series in ds.get("ReferencedSeriesSequence", [])
            for image in series.get("ReferencedImageSequence", [])
        ]
    except MALFORMED as error:
        raise PresentationError(reason=repr(error)) from error


def concerns(part: Dataset, uid: str, number: int) -> bool:
    """Tell whether an item of a state holds for a frame: for all, where it names no image."""
    images = part.get("ReferencedImageSequence", [])
    for image in images:
        frames = _numbers(image.get("ReferencedFrameNumber"))
        if image.get("ReferencedSOPInstanceUID") == uid and (not frames or number in frames):
            return True
    return not images


def first_for(ds: Dataset, keyword: str, shown: Referenced) -> Dataset | None:
    """Return the first item of a sequence that holds for a frame."""
    for part in ds.get(keyword, []):
        if concerns(part, shown.item.sop_instance_uid, shown.number):
            return part
    return None


def _numbers(value: object) -> list[int]:
    if value is None or value == "":
        return []
    return [int(one) for one in value] if isinstance(value, MultiValue | list) else [int(value)]  # type: ignore[call-overload]


def presented_pixels(frame: Frame, shown: Referenced) -> np.ndarray:
    """Return `(rows, columns)` or `(rows, columns, 3)` uint8 as the state shows the frame.

    Raises:
        PresentationError: a state of greys refers to an image of colours, or the other way round.
    """
    state = shown.state
    colors = frame.color or frame.ds.get("PhotometricInterpretation") == "PALETTE COLOR"
    if colors != (state.SOPClassUID == COLOR):
        message = f"The presentation state is of {'greys' if colors else 'colours'}, its image not."
        raise PresentationError(message)
    if colors:
        return displayed(frame, None)
    stored, places = distinct(frame.pixels)
    values, low, high = _modality(stored, frame.ds, state)
    voi = first_for(state, "SoftcopyVOILUTSequence", shown)
    levels = _voi(values, low, high, voi)
    return np.rint(255.0 * _presentation_lut(levels, state)).astype(np.uint8).take(places)


def _modality(stored: np.ndarray, ds: Dataset, state: Dataset) -> tuple[np.ndarray, float, float]:
    """Apply the modality transformation; return its output and the range that it can have."""
    if stored.dtype.kind == "f":
        low, high = float(stored.min()), float(stored.max())
    else:
        bits, signed = int(ds.get("BitsStored", 16)), bool(ds.get("PixelRepresentation"))
        low = -float(1 << (bits - 1)) if signed else 0.0
        high = float((1 << (bits - signed)) - 1)
    if state.get("ModalityLUTSequence"):
        table = _Table(state.ModalityLUTSequence[0], signed=stored.dtype.kind == "i")
        return table.look_up(stored), 0.0, table.top
    slope = float(state.get("RescaleSlope") or 1)
    intercept = float(state.get("RescaleIntercept") or 0)
    low, high = sorted((low * slope + intercept, high * slope + intercept))
    return stored * slope + intercept, low, high


def _voi(values: np.ndarray, low: float, high: float, voi: Dataset | None) -> np.ndarray:
    """Return levels from 0 to 1: of a table, of a window, else of the whole range."""
    if voi is not None and voi.get("VOILUTSequence"):
        table = _Table(voi.VOILUTSequence[0], signed=low < 0)
        return table.look_up(np.rint(values).astype(np.int64)) / table.top
    if voi is not None and voi.get("WindowWidth"):
        center, width = (_first(voi.get(name)) for name in ("WindowCenter", "WindowWidth"))
        function = str(voi.get("VOILUTFunction") or "LINEAR")
        return fraction_in(values, Window(center, width, function))
    return np.clip((values - low) / max(high - low, 1e-6), 0.0, 1.0)


def _presentation_lut(levels: np.ndarray, state: Dataset) -> np.ndarray:
    """Turn levels into P-values from 0 to 1 (PS3.3 C.11.6)."""
    if state.get("PresentationLUTSequence"):
        table = _Table(state.PresentationLUTSequence[0], signed=False)
        return table.data[np.rint(levels * (table.data.size - 1)).astype(np.int64)] / table.top
    return 1.0 - levels if state.get("PresentationLUTShape") == "INVERSE" else levels


class _Table:
    """A lookup table (PS3.3 C.11.1.1.1)."""

    def __init__(self, part: Dataset, *, signed: bool) -> None:
        entries, first, bits = (int(one) for one in part.LUTDescriptor)
        raw = part.LUTData
        if isinstance(raw, bytes):
            whole = len(raw) >= 2 * (entries or 1 << 16)
            self.data = np.frombuffer(raw, "<u2" if whole else np.uint8).astype(np.int64)
        else:
            self.data = np.asarray(raw, np.int64).ravel() & 0xFFFF
        self.data = self.data[: entries or 1 << 16]
        if not self.data.size:
            message = "A lookup table of the presentation state is empty."
            raise PresentationError(message)
        first &= 0xFFFF
        self.first = first - (1 << 16) if signed and first >= 1 << 15 else first
        self.top = float((1 << bits) - 1)

    def look_up(self, values: np.ndarray) -> np.ndarray:
        """Return the entries of values; the first and the last stand for what is beyond."""
        return self.data[np.clip(values.astype(np.int64) - self.first, 0, self.data.size - 1)]


def _first(value: object) -> float:
    return float(value[0] if isinstance(value, MultiValue | list) else value)  # type: ignore[arg-type]
