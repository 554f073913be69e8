"""The bytes of an instance on their way out: as stored, under today's identity."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset as read_elements
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from apps.archive.part10 import file_header
from apps.archive.reading import open_stored, read, stream_checked
from apps.archive.reading import sound as sound_copies
from apps.core import clock
from apps.core.character_sets import encode_text
from apps.studies.header import Header, HeaderError, is_explicit, scan
from apps.studies.identity import Identity
from apps.studies.query.attributes import (
    ISSUER_OF_PATIENT_ID,
    PATIENT_BIRTH_DATE,
    PATIENT_ID,
    PATIENT_NAME,
    PATIENT_SEX,
)
from apps.studies.retrieve.select import Item

HEAD_BYTES = 64 * 1024
ORIGINAL_ATTRIBUTES = 0x04000561
FIRST_SPLICED, LAST_SPLICED = PATIENT_NAME, PATIENT_SEX
_KEYWORDS = {
    PATIENT_NAME: "PatientName",
    PATIENT_ID: "PatientID",
    ISSUER_OF_PATIENT_ID: "IssuerOfPatientID",
    PATIENT_BIRTH_DATE: "PatientBirthDate",
    PATIENT_SEX: "PatientSex",
}


def sound(item: Item) -> Item | None:
    """Return the item with those copies only that a quick look finds in their length.

    None where none is left. It is quick on local disks; elsewhere only reading tells.
    """
    copies = tuple(sound_copies(item.copies, item.size_bytes))
    if not copies:
        return None
    return item if copies == item.copies else replace(item, copies=copies)


def dataset_chunks(item: Item, identity: Identity | None = None) -> Iterator[bytes]:
    """Yield the data set in its stored transfer syntax.

    Byte for byte what was received, unless an identity is to be applied: then the patient's
    identifying elements are replaced in place, and nothing after them is encoded anew.

    Source: PS3.4 C.4.2.2.1; DESIGN section 5, Merge.
    """
    length = item.size_bytes - item.dataset_offset
    if identity is None:
        yield from stream_checked(item.copies, item.dataset_offset, length, item.digest)
        return
    if item.transfer_syntax_uid in (ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian):
        yield _rewritten(item, identity)
        return
    chunks = stream_checked(item.copies, item.dataset_offset, length, item.digest)
    first = next(chunks, b"")
    try:
        replaced, skip = _spliced(first[:HEAD_BYTES], item, identity)
    except (HeaderError, UnicodeError):
        yield _rewritten(item, identity)
        return
    yield replaced
    yield first[skip:]
    yield from chunks


def part10_chunks(item: Item, identity: Identity | None = None) -> Iterator[bytes]:
    """Yield the instance as a Part 10 file (PS3.10 7)."""
    yield file_header(
        sop_class_uid=item.sop_class_uid,
        sop_instance_uid=item.sop_instance_uid,
        transfer_syntax_uid=item.transfer_syntax_uid,
    )
    yield from dataset_chunks(item, identity)


def read_header(item: Item, identity: Identity | None = None) -> Dataset:
    """Return the instance's data set up to its pixel data, with its file meta information."""
    with open_stored(item.copies, item.size_bytes) as source:
        ds = dcmread(source, stop_before_pixels=True)
    if identity is not None:
        apply_identity(ds, identity)
    return ds


def read_whole(item: Item, identity: Identity | None = None) -> Dataset:
    """Return the whole instance, pixels too: for what can be had in no other way."""
    with open_stored(item.copies, item.size_bytes) as source:
        ds = dcmread(source)
    if identity is not None:
        apply_identity(ds, identity)
    return ds


def read_behind(item: Item, end: int) -> Dataset:
    """Return the elements behind the pixel data, which end at an offset of the file.

    Bytes that are no elements, such as zeros up to a block's end, count as none.
    """
    rest = item.size_bytes - end
    data = read(item.copies, end, rest) if rest >= 8 else b""
    explicit = is_explicit(item.transfer_syntax_uid)
    try:
        whole = any(data[:8]) and scan(data, explicit=explicit).complete
    except HeaderError:
        whole = False
    if not whole:
        return Dataset()
    return read_elements(
        BytesIO(data), is_implicit_VR=not explicit, is_little_endian=True, bytelength=len(data)
    )


def apply_identity(ds: Dataset, identity: Identity) -> None:
    """Set the identity and keep what it replaces in Original Attributes Sequence.

    Source: PS3.3 C.12.1.1.9.
    """
    original = Dataset()
    for keyword, value in _values(identity).items():
        if keyword in ds:
            original[keyword] = ds[keyword]
        if value or keyword in ds:
            setattr(ds, keyword, value)
    note = Dataset()
    note.SourceOfPreviousValues = ""
    note.AttributeModificationDateTime = f"{clock.now():%Y%m%d%H%M%S}+0000"
    note.ModifyingSystem = "ISOCENTER"
    note.ReasonForTheAttributeModification = "COERCE"
    note.ModifiedAttributesSequence = DicomSequence([original])
    ds.OriginalAttributesSequence = DicomSequence([*ds.get("OriginalAttributesSequence", []), note])
    if not _encodable(ds):
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.decode()


def _values(identity: Identity) -> dict[str, str]:
    values = {
        "PatientName": identity.name,
        "PatientID": identity.patient_id,
        "PatientBirthDate": identity.birth_date,
        "PatientSex": identity.sex,
    }
    if identity.issuer_of_patient_id:
        values["IssuerOfPatientID"] = identity.issuer_of_patient_id
    return values


def _encodable(ds: Dataset) -> bool:
    name = str(ds.get("PatientName", ""))
    if name.isascii():
        return True
    return ds.get("SpecificCharacterSet") == "ISO_IR 192"


def _spliced(head: bytes, item: Item, identity: Identity) -> tuple[bytes, int]:
    """Return the new beginning of the data set, and how much of the stored one it stands for.

    Raises:
        HeaderError: the elements to replace do not all lie in the head.
        UnicodeError: the data set's character set cannot say the name.
    """
    explicit = is_explicit(item.transfer_syntax_uid)
    header = scan(head, explicit=explicit)
    after = [e for e in header.elements.values() if e.tag > LAST_SPLICED]
    if not after and not header.complete:
        message = "identity lies beyond the head"
        raise HeaderError(message)
    by_keyword = {keyword: tag for tag, keyword in _KEYWORDS.items()}
    new = {by_keyword[k]: v for k, v in _values(identity).items()}
    parts: list[bytes] = []
    cut = min(
        (e.start for e in header.elements.values() if e.tag >= FIRST_SPLICED), default=len(head)
    )
    parts.append(head[:cut])
    kept = {e.tag: head[e.start : e.end] for e in header.elements.values() if e.start >= cut}
    within = {tag: raw for tag, raw in kept.items() if tag <= LAST_SPLICED and tag not in new}
    for tag, text in new.items():
        if text or tag in kept:
            within[tag] = _element(tag, _encoded(tag, text, header), explicit=explicit)
    parts += [within[tag] for tag in sorted(within)]
    end = min(
        (e.start for e in after), default=len(head) if header.pixel is None else header.pixel.start
    )
    return b"".join(parts), end


def _encoded(tag: int, text: str, header: Header) -> bytes:
    return encode_text(text, header.terms, person=tag == PATIENT_NAME)


def _element(tag: int, value: bytes, *, explicit: bool) -> bytes:
    vr = {PATIENT_NAME: b"PN", PATIENT_BIRTH_DATE: b"DA", PATIENT_SEX: b"CS"}.get(tag, b"LO")
    padded = value + b" " * (len(value) % 2)
    group, number = tag >> 16, tag & 0xFFFF
    if explicit:
        return struct.pack("<HH2sH", group, number, vr, len(padded)) + padded
    return struct.pack("<HHI", group, number, len(padded)) + padded


def encoded(ds: Dataset, syntax: UID) -> bytes:
    """Return the data set's bytes without preamble and group 2, in a native transfer syntax.

    What pydicom keeps as words in the order they were read in is the caller's to swap.
    """
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = syntax.is_implicit_VR, syntax.is_little_endian
    body = Dataset()
    body.update({element.tag: element for element in ds if element.tag.group != 0x0002})
    write_dataset(out, body)
    return out.getvalue()


def _rewritten(item: Item, identity: Identity) -> bytes:
    """Return the whole data set encoded anew, for what cannot be spliced."""
    ds = read_whole(item, identity)
    syntax = ds.file_meta.TransferSyntaxUID
    raw = encoded(ds, syntax)
    if syntax == DeflatedExplicitVRLittleEndian:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        raw = packer.compress(raw) + packer.flush()
        raw += b"\0" * (len(raw) % 2)
    return raw
