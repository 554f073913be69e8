"""What the index takes from a received object."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian

from apps.archive.incoming import Staged
from apps.archive.reading import Copy, open_stored
from apps.studies.errors import (
    MismatchError,
    MissingUidError,
    NotADataSetError,
    TruncatedDataSetError,
)
from apps.studies.header import (
    UNDEFINED,
    Header,
    HeaderError,
    can_scan,
    is_explicit,
    scan,
)
from apps.studies.ingest.whole import (
    check_big_endian_whole,
    check_inflates,
    check_pixels_whole,
    whole,
)
from apps.studies.validation import Finding, header_findings

UID = re.compile(r"[0-9.]{1,64}")
REQUEST_ATTRIBUTES = 0x00400275
REFERENCED_STEP = 0x00081111
ISSUER_OF_ACCESSION = 0x00080051
TEXTS: dict[str, tuple[int, int]] = {
    "character_set": (0x00080005, 200),
    "study_date": (0x00080020, 8),
    "series_date": (0x00080021, 8),
    "content_date": (0x00080023, 8),
    "study_time": (0x00080030, 16),
    "series_time": (0x00080031, 16),
    "content_time": (0x00080033, 16),
    "accession_number": (0x00080050, 16),
    "modality": (0x00080060, 16),
    "manufacturer": (0x00080070, 64),
    "timezone_offset": (0x00080201, 16),
    "station_name": (0x00081010, 16),
    "study_description": (0x00081030, 64),
    "series_description": (0x0008103E, 64),
    "patient_id": (0x00100020, 64),
    "issuer_of_patient_id": (0x00100021, 64),
    "patient_birth_date": (0x00100030, 8),
    "patient_sex": (0x00100040, 16),
    "body_part_examined": (0x00180015, 16),
    "study_id": (0x00200010, 16),
    "series_number": (0x00200011, 12),
    "instance_number": (0x00200013, 12),
    "laterality": (0x00200060, 1),
    "performed_start_date": (0x00400244, 8),
    "performed_start_time": (0x00400245, 16),
}
NAMES = {"referring_physician_name": 0x00080090, "patient_name": 0x00100010}
UIDS = {
    "sop_class_uid": 0x00080016,
    "sop_instance_uid": 0x00080018,
    "study_instance_uid": 0x0020000D,
    "series_instance_uid": 0x0020000E,
}
NUMBERS = {
    "number_of_frames": 0x00280008,
    "rows": 0x00280010,
    "columns": 0x00280011,
    "bits_allocated": 0x00280100,
}


class Texts(dict[str, str]):
    """The values of `TEXTS` and `NAMES`, each read when it is asked for: most images need three."""

    def __init__(self, header: Header) -> None:
        super().__init__()
        self._header = header

    def __missing__(self, name: str) -> str:
        """Read a value, and keep it."""
        if name == "character_set":
            text = self._header.text(TEXTS[name][0])[: TEXTS[name][1]]
        elif name in NAMES:
            text = self._header.first(NAMES[name], 1000)
        else:
            text = self._header.first(*TEXTS[name])
        self[name] = text
        return text


@dataclass(frozen=True, slots=True)
class Received:
    """A staged object with what the index needs of it."""

    staged: Staged
    uids: dict[str, str]
    texts: Texts
    numbers: dict[str, int | None]
    performed_step_uid: str
    issuer_of_accession_number: str
    requests: tuple[dict[str, str], ...]
    pixel_offset: int | None
    pixel_length: int | None
    findings: tuple[Finding, ...] = ()

    @property
    def study_instance_uid(self) -> str:
        """(0020,000D)."""
        return self.uids["study_instance_uid"]

    @property
    def series_instance_uid(self) -> str:
        """(0020,000E)."""
        return self.uids["series_instance_uid"]

    @property
    def sop_instance_uid(self) -> str:
        """(0008,0018)."""
        return self.uids["sop_instance_uid"]


def read_received(staged: Staged) -> Received:
    """Read a staged object's attributes and refuse what could never be served.

    Raises:
        NotADataSetError: it is no data set in its transfer syntax.
        TruncatedDataSetError: it ends within its pixel data, or elsewhere before its end.
        MissingUidError: one of the four UIDs is absent.
        MismatchError: the request named another instance or class (PS3.4 B.2.3, A900H).
    """
    header = _header(staged)
    uids = {name: header.first(tag, 65) for name, tag in UIDS.items()}
    if not any(uids.values()):
        raise NotADataSetError(reason="none of the attributes that every object has")
    for name, value in uids.items():
        if not UID.fullmatch(value):
            raise MissingUidError(attribute=name, value=value)
    if (uids["sop_class_uid"], uids["sop_instance_uid"]) != (
        staged.sop_class_uid,
        staged.sop_instance_uid,
    ):
        raise MismatchError(named=staged.sop_instance_uid, found=uids["sop_instance_uid"])
    offset, length = _pixels(header, staged)
    return Received(
        staged=staged,
        uids=uids,
        texts=Texts(header),
        numbers={name: _natural(header.integer(tag)) for name, tag in NUMBERS.items()},
        performed_step_uid=next(
            (item.first(0x00081155) for item in header.items(REFERENCED_STEP)), ""
        ),
        issuer_of_accession_number=next(
            (
                item.first(0x00400031) or item.first(0x00400032)
                for item in header.items(ISSUER_OF_ACCESSION)
            ),
            "",
        ),
        requests=tuple(
            {
                "requested_procedure_id": item.first(0x00401001, 16),
                "scheduled_procedure_step_id": item.first(0x00400009, 16),
                "accession_number": item.first(0x00080050, 16),
            }
            for item in header.items(REQUEST_ATTRIBUTES)
        ),
        pixel_offset=offset,
        pixel_length=length,
        findings=header_findings(header, staged),
    )


def dicom_date(text: str) -> datetime.date | None:
    """Return a DA value as a date; None where it is empty or no date (PS3.5 6.2)."""
    try:
        return datetime.datetime.strptime(text[:8], "%Y%m%d").date()  # noqa: DTZ007 - a date
    except ValueError:
        return None


def _natural(value: int | None) -> int | None:
    return value if value is not None and 0 <= value < 1 << 31 else None


def _header(staged: Staged) -> Header:
    if not can_scan(staged.transfer_syntax_uid):
        return _header_by_pydicom(staged)
    explicit = is_explicit(staged.transfer_syntax_uid)
    try:
        header = scan(staged.head, explicit=explicit)
        if not header.complete:
            header = scan(whole(staged), explicit=explicit)
    except HeaderError:
        return _header_by_pydicom(staged)
    if not header.complete:
        raise TruncatedDataSetError(sop_instance_uid=staged.sop_instance_uid)
    return header


def _header_by_pydicom(staged: Staged) -> Header:
    """Read what `scan` does not, and write its top level again in the form that it does."""
    if staged.transfer_syntax_uid == DeflatedExplicitVRLittleEndian:
        check_inflates(staged)
    with open_stored([Copy(staged.storage, staged.key)], staged.size_bytes) as source:
        try:
            ds = dcmread(source, stop_before_pixels=True, specific_tags=_wanted())
            if staged.transfer_syntax_uid == ExplicitVRBigEndian:
                check_big_endian_whole(source, staged)
            return scan(_as_explicit_little_endian(ds), explicit=True)
        except TruncatedDataSetError:
            raise
        except Exception as error:
            raise NotADataSetError(reason=f"{type(error).__name__}: {error}") from error


def _wanted() -> list[int]:
    tags = [tag for tag, _ in TEXTS.values()]
    tags += [*NAMES.values(), *UIDS.values(), *NUMBERS.values()]
    return [*tags, REFERENCED_STEP, REQUEST_ATTRIBUTES, ISSUER_OF_ACCESSION]


def _as_explicit_little_endian(ds: Dataset) -> bytes:
    out = BytesIO()
    plain = Dataset()
    for element in ds:
        if element.tag.group != 0x0002:
            plain.add(element)
    _drop_empty_multivalues(plain)
    plain.save_as(out, implicit_vr=False, little_endian=True)
    return out.getvalue()


def _drop_empty_multivalues(ds: Dataset) -> None:
    for element in list(ds):
        if isinstance(element.value, (MultiValue, Sequence)) and not element.value:
            element.clear()


def _pixels(header: Header, staged: Staged) -> tuple[int | None, int | None]:
    """Return where pixel data lies in the file, and how long it is where it is native."""
    pixel = header.pixel
    if pixel is None:
        return None, None
    explicit = is_explicit(staged.transfer_syntax_uid)
    check_pixels_whole(pixel, staged, whole(staged), explicit=explicit)
    length = None if pixel.length == UNDEFINED else pixel.length
    return staged.dataset_offset + pixel.value, length
