"""Giving an instance in another transfer syntax, where the peer does not take the stored one."""

import numpy as np
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from apps.archive.part10 import file_header
from apps.studies.errors import TransferSyntaxError
from apps.studies.identity import Identity
from apps.studies.retrieve.outgoing import encoded, read_dataset
from apps.studies.retrieve.select import Item

TARGETS = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
PIXEL_DATA = 0x7FE00010


def transcoded_dataset(item: Item, transfer_syntax_uid: str, identity: Identity | None) -> bytes:
    """Return the data set decompressed, in explicit or implicit VR little endian.

    Private and other elements are kept; pixel values are those of the stored frames.

    Raises:
        TransferSyntaxError: the target is none of `TARGETS`, or nothing here decodes the
            stored one.
    """
    if transfer_syntax_uid not in TARGETS:
        raise TransferSyntaxError(asked=transfer_syntax_uid, stored=item.transfer_syntax_uid)
    ds = read_dataset(item, identity)
    if ds.file_meta.TransferSyntaxUID.is_encapsulated:
        try:
            ds.decompress(as_rgb=False, generate_instance_uid=False)
        except (NotImplementedError, RuntimeError, ValueError, AttributeError, KeyError) as error:
            raise TransferSyntaxError(
                asked=transfer_syntax_uid, stored=item.transfer_syntax_uid, reason=str(error)
            ) from error
    elif ds.file_meta.TransferSyntaxUID == ExplicitVRBigEndian:
        _swap_words(ds)
    return encoded(ds, UID(transfer_syntax_uid))


def _swap_words(ds: Dataset) -> None:
    """Turn what pydicom keeps as big endian words, such as pixels and LUTs, to little endian."""
    for element in ds.iterall():
        if element.VR != "OW" or not isinstance(element.value, bytes):
            continue
        wide = int(ds.get("BitsAllocated", 16)) if element.tag == PIXEL_DATA else 16
        words = np.frombuffer(element.value, np.dtype(f">u{max(wide, 16) // 8}"))
        element.value = words.astype(words.dtype.newbyteorder("<")).tobytes()


def transcoded_part10(item: Item, transfer_syntax_uid: str, identity: Identity | None) -> bytes:
    """Return `transcoded_dataset` as a Part 10 file."""
    body = transcoded_dataset(item, transfer_syntax_uid, identity)
    header = file_header(
        sop_class_uid=item.sop_class_uid,
        sop_instance_uid=item.sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
    )
    return header + body
