"""Objects of any size, made while they are sent: nothing of them is ever held whole."""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.pixels.encoders import RLELosslessEncoder

from apps.archive.part10 import file_header
from apps.core.uids import new_uid

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
MPEG4_FRAGMENTABLE = "1.2.840.10008.1.2.4.102.1"
RLE = "1.2.840.10008.1.2.5"
MULTI_FRAME_GREY = "1.2.840.10008.5.1.4.1.1.7.2"
VIDEO_ENDOSCOPIC = "1.2.840.10008.5.1.4.1.1.77.1.1.1"
BLOCK = 1 << 20
_NOISE = np.random.default_rng(7).bytes(BLOCK)
UNDEFINED = 0xFFFFFFFF
DELIMITER = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
TRAILING_PADDING = struct.pack("<HH2sHI", 0xFFFC, 0xFFFC, b"OB", 0, 4096) + bytes(4096)


def noise(size: int, start: int = 0) -> Iterator[bytes]:
    """Yield so many bytes, each block with its number in it, so that none passes for another."""
    end = start + size
    for number in range(start // BLOCK * BLOCK, end, BLOCK):
        block = struct.pack("<Q", number) + _NOISE[8:]
        yield block[max(start - number, 0) : end - number]


@dataclass
class LargeObject:
    """A data set: its elements up to the pixels, then these."""

    ds: Dataset
    transfer_syntax_uid: str
    pixels: "Pixels"

    @property
    def sop_class_uid(self) -> str:
        return str(self.ds.SOPClassUID)

    @property
    def sop_instance_uid(self) -> str:
        return str(self.ds.SOPInstanceUID)

    @property
    def header(self) -> bytes:
        out = DicomBytesIO()
        out.is_implicit_VR, out.is_little_endian = False, True
        write_dataset(out, self.ds)
        return out.getvalue()

    def chunks(self) -> Iterator[bytes]:
        """Yield the data set."""
        yield self.header
        yield from self.pixels.element()

    def part10(self) -> Iterator[bytes]:
        yield file_header(
            sop_class_uid=self.sop_class_uid,
            sop_instance_uid=self.sop_instance_uid,
            transfer_syntax_uid=self.transfer_syntax_uid,
        )
        yield from self.chunks()

    @cached_property
    def digest(self) -> str:
        return digest(self.chunks())

    @cached_property
    def part10_digest(self) -> str:
        return digest(self.part10())

    @cached_property
    def pixel_digest(self) -> str:
        return digest(self.pixels.value())


def digest(chunks: Iterator[bytes]) -> str:
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


class Pixels:
    """Pixel data element and what is behind it."""

    def element(self) -> Iterator[bytes]:
        """Yield the element and what follows."""
        raise NotImplementedError

    def value(self) -> Iterator[bytes]:
        """Yield the value: native bytes, or what the fragments hold."""
        raise NotImplementedError


@dataclass
class Native(Pixels):
    size: int

    def element(self) -> Iterator[bytes]:
        yield struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, self.size)
        yield from self.value()

    def value(self) -> Iterator[bytes]:
        return noise(self.size)


@dataclass
class Fragments(Pixels):
    """Fragments of random bytes, with trailing padding behind them, so that they must be walked."""

    sizes: list[int]

    def element(self) -> Iterator[bytes]:
        yield struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, UNDEFINED)
        yield struct.pack("<HHI", 0xFFFE, 0xE000, 0)
        for size in self.sizes:
            yield struct.pack("<HHI", 0xFFFE, 0xE000, size)
            yield from noise(size)
        yield DELIMITER + TRAILING_PADDING

    def value(self) -> Iterator[bytes]:
        for size in self.sizes:
            yield from noise(size)


@dataclass
class RleFrames(Pixels):
    """Frames of 512 x 512 bytes with a ramp that differs from frame to frame."""

    count: int
    _encoded: dict[int, bytes] = field(default_factory=dict)

    @staticmethod
    def frame(number: int) -> bytes:
        return np.repeat(np.arange(512, dtype=np.uint8) + number, 512).tobytes()

    def _stored(self, number: int) -> bytes:
        kind = number % 256
        if kind not in self._encoded:
            array = np.frombuffer(self.frame(kind), np.uint8).reshape(512, 512)
            stored = RLELosslessEncoder.encode(
                array, rows=512, columns=512, samples_per_pixel=1, bits_allocated=8, bits_stored=8,
                pixel_representation=0, photometric_interpretation="MONOCHROME2",
                number_of_frames=1,
            )  # fmt: skip
            self._encoded[kind] = encapsulate([stored], has_bot=False)[8:]
        return self._encoded[kind]

    def element(self) -> Iterator[bytes]:
        yield struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, UNDEFINED)
        yield struct.pack("<HHI", 0xFFFE, 0xE000, 0)
        for number in range(self.count):
            yield self._stored(number)
        yield DELIMITER

    def value(self) -> Iterator[bytes]:
        for number in range(self.count):
            yield self.frame(number % 256)


def described(sop_class_uid: str, **attributes: object) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class_uid, new_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = new_uid(), new_uid()
    ds.PatientID, ds.PatientName = "LARGE", "Large^Object"
    ds.PatientBirthDate, ds.PatientSex = "19700101", "O"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20261124", "101010", ""
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "OT", 1, 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def native(rows: int, columns: int, frames: int) -> LargeObject:
    """An object of native pixels of 8 bits."""
    ds = described(MULTI_FRAME_GREY, Rows=rows, Columns=columns, NumberOfFrames=frames)
    size = rows * columns * frames
    return LargeObject(ds, EXPLICIT, Native(size + size % 2))


def video(*fragments: int) -> LargeObject:
    """A video in fragments of so many bytes."""
    ds = described(VIDEO_ENDOSCOPIC, Rows=1080, Columns=1920, NumberOfFrames=1000, Modality="ES")
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 3, "YBR_PARTIAL_420"
    ds.PlanarConfiguration = 0
    return LargeObject(ds, MPEG4_FRAGMENTABLE, Fragments(list(fragments)))


def compressed(frames: int) -> LargeObject:
    """A multi-frame object in RLE; its frames are 256 KiB each when decompressed."""
    ds = described(MULTI_FRAME_GREY, Rows=512, Columns=512, NumberOfFrames=frames)
    return LargeObject(ds, RLE, RleFrames(frames))
