"""Trying to decode an object before it is taken: dear, so only for sources whose rule asks it."""

import struct

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from apps.archive.reading import Copy
from apps.core.errors import DomainError
from apps.studies.codecs import DEFLATED_FRAME, JPEG_BEYOND_PYDICOM, JPEG_XL
from apps.studies.imaging.decode import decode_frame
from apps.studies.ingest.received import Received
from apps.studies.retrieve.select import Item
from apps.studies.validation import Finding

LARGEST_FRAME_BYTES = 256 << 20
OURS = JPEG_XL | JPEG_BEYOND_PYDICOM | {DEFLATED_FRAME}


def decode_findings(received: Received) -> tuple[Finding, ...]:
    """Decode the first frame and return what that shows.

    What nothing here decodes, such as video, and frames of more than 256 MB are not judged.
    """
    item = item_of(received)
    if item.pixel_offset is None or not (item.rows and item.columns):
        return ()
    size = item.rows * item.columns * max(item.bits_allocated or 8, 8) // 8
    if size > LARGEST_FRAME_BYTES or not _decodable(item.transfer_syntax_uid):
        return ()
    try:
        decode_frame(item)
    except DomainError as error:
        return (_finding(str(error.details.get("reason") or error.message)),)
    except (ValueError, IndexError, EOFError, struct.error) as error:
        return (_finding(str(error)),)
    return ()


def _finding(reason: str) -> Finding:
    return Finding("pixels-undecodable", " ".join(reason.split())[:300])


def _decodable(transfer_syntax_uid: str) -> bool:
    if transfer_syntax_uid in OURS:
        return True
    uid = UID(transfer_syntax_uid)
    try:
        return not uid.is_encapsulated or get_decoder(uid).is_available
    except (ValueError, NotImplementedError):
        return False


def item_of(received: Received) -> Item:
    """Return what retrieval needs to give an object out that the index does not name."""
    staged, numbers = received.staged, received.numbers
    return Item(
        sop_instance_uid=received.sop_instance_uid,
        sop_class_uid=received.uids["sop_class_uid"],
        series_instance_uid=received.series_instance_uid,
        modality=received.texts["modality"],
        transfer_syntax_uid=staged.transfer_syntax_uid,
        dataset_offset=staged.dataset_offset,
        size_bytes=staged.size_bytes,
        digest=staged.digest,
        pixel_offset=received.pixel_offset,
        pixel_length=received.pixel_length,
        number_of_frames=numbers["number_of_frames"],
        rows=numbers["rows"],
        columns=numbers["columns"],
        bits_allocated=numbers["bits_allocated"],
        copies=(Copy(staged.storage, staged.key),),
    )
