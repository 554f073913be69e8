"""Small data sets: what we write pydicom reads and the reverse; rubbish is an error."""

import contextlib
import struct
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from apps.dimse.data_sets import MAX_DEPTH, DataSetError, decode, encode

NAME, IDENTIFIER, DATE, LEVEL = 0x00100010, 0x00100020, 0x00080020, 0x00080052
COUNT, FRAME_POINTER, STEPS, STATION, CHARSET = (
    0x00201208,
    0x00280009,
    0x00400100,
    0x00400001,
    0x00080005,
)


def by_pydicom(data: bytes, *, explicit: bool) -> Dataset:
    return dcmread(
        BytesIO(
            b"\0" * 128
            + b"DICM"
            + struct.pack("<HH2sHI", 2, 0, b"UL", 4, 28)
            + struct.pack("<HH2sH", 2, 0x10, b"UI", 20)
            + (b"1.2.840.10008.1.2.1\0" if explicit else b"1.2.840.10008.1.2\0\0\0")
            + data
        )
    )


def from_pydicom(ds: Dataset, *, explicit: bool) -> bytes:
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = not explicit, True
    write_dataset(out, ds)
    return out.getvalue()


SAMPLE = {
    DATE: "20261124",
    LEVEL: "STUDY",
    NAME: "Falk^Ines",
    IDENTIFIER: "P-17",
    COUNT: "12",
    FRAME_POINTER: 0x00181063,
    STEPS: [{STATION: "CT_1", 0x00080060: "CT", 0x00400002: ""}, {STATION: "CT_2"}],
    0x00080061: "CT\\SR",
    0x00280010: 512,
    0x00181114: "1.5",
}


@pytest.mark.parametrize("explicit", [True, False])
def test_pydicom_reads_what_we_write(explicit: bool) -> None:
    ds = by_pydicom(encode(SAMPLE, explicit=explicit), explicit=explicit)
    assert ds.PatientName == "Falk^Ines"
    assert ds.NumberOfStudyRelatedInstances == 12
    assert ds.FrameIncrementPointer == 0x00181063
    assert [item.ScheduledStationAETitle for item in ds.ScheduledProcedureStepSequence] == [
        "CT_1",
        "CT_2",
    ]
    assert list(ds.ModalitiesInStudy) == ["CT", "SR"]
    assert ds.Rows == 512
    assert [elem.tag for elem in ds] == sorted(SAMPLE)


@pytest.mark.parametrize("explicit", [True, False])
def test_what_is_written_reads_back(explicit: bool) -> None:
    assert decode(encode(SAMPLE, explicit=explicit), explicit=explicit) == dict(
        sorted(SAMPLE.items())
    )


@pytest.mark.parametrize("undefined", [True, False])
@pytest.mark.parametrize("explicit", [True, False])
def test_we_read_what_pydicom_writes(explicit: bool, undefined: bool) -> None:
    ds, item = Dataset(), Dataset()
    item.ScheduledStationAETitle = "CT_1"
    item.ScheduledProcedureStepStartDate = "20261124-20261130"
    item.is_undefined_length_sequence_item = undefined
    ds.PatientName = "Falk^*"
    ds.QueryRetrieveLevel = "STUDY"
    ds.StudyInstanceUID = ["1.2.3", "1.2.4"]
    ds.NumberOfStudyRelatedInstances = None
    ds.ScheduledProcedureStepSequence = [item]
    ds["ScheduledProcedureStepSequence"].is_undefined_length = undefined
    ds.ReferencedStudySequence = []
    read = decode(from_pydicom(ds, explicit=explicit), explicit=explicit)
    assert read == {
        LEVEL: "STUDY",
        NAME: "Falk^*",
        0x0020000D: "1.2.3\\1.2.4",
        COUNT: "",
        STEPS: [{STATION: "CT_1", 0x00400002: "20261124-20261130"}],
        0x00081110: [],
    }


@pytest.mark.parametrize(
    ("character_set", "raw", "name"),
    [
        ("ISO_IR 100", "Buc^Jérôme".encode("latin-1"), "Buc^Jérôme"),
        ("ISO_IR 144", "Люкceмбypг".encode("iso8859_5"), "Люкceмбypг"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小东".encode(), "Wang^XiaoDong=王^小东"),
        ("GB18030", "Wang^XiaoDong=王^小东".encode("gb18030"), "Wang^XiaoDong=王^小东"),
        (
            "\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
            "Yamada^Tarou=山田^太郎",
        ),
        (
            "\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7",
            "Hong^Gildong=洪^吉洞",
        ),
        ("", b"Plain^Name", "Plain^Name"),
    ],
)
def test_character_sets_are_read(character_set: str, raw: bytes, name: str) -> None:
    padded = character_set.encode() + b" " * (len(character_set) % 2)
    raw += b" " * (len(raw) % 2)
    data = struct.pack("<HHI", 8, 5, len(padded)) + padded
    data += struct.pack("<HHI", 0x10, 0x10, len(raw)) + raw
    assert decode(data, explicit=False)[NAME] == name


@pytest.mark.parametrize(
    ("asked", "name", "written"),
    [
        ("", "Falk^Ines", ""),
        ("ISO_IR 100", "Falk^Ines", "ISO_IR 100"),
        ("ISO_IR 999", "Falk^Ines", ""),
        ("ISO_IR 100", "Buc^Jérôme", "ISO_IR 100"),
        ("ISO_IR 100", "山田^太郎", "ISO_IR 192"),
        ("\\ISO 2022 IR 87", "山田^太郎", "\\ISO 2022 IR 87"),
        ("\\ISO 2022 IR 149", "山田^太郎 ﾔ", "ISO_IR 192"),
        ("GB18030", "王^小东", "GB18030"),
        ("NONSENSE", "Buc^Jérôme", "ISO_IR 192"),
        ("", "Buc^Jérôme", "ISO_IR 192"),
    ],
)
def test_answers_speak_the_askers_character_set_or_utf8(
    asked: str, name: str, written: str
) -> None:
    data = encode({LEVEL: "STUDY", NAME: name}, explicit=True, character_set=asked)
    ds = by_pydicom(data, explicit=True)
    said = ds.get("SpecificCharacterSet", "")
    assert (said if isinstance(said, str) else "\\".join(said)) == written
    assert ds.PatientName == name
    assert ds.QueryRetrieveLevel == "STUDY"


def test_text_within_sequences_counts_for_the_character_set() -> None:
    data = encode({STEPS: [{0x00400006: "Jérôme^M"}]}, explicit=True)
    ds = by_pydicom(data, explicit=True)
    assert ds.SpecificCharacterSet == "ISO_IR 192"
    assert ds.ScheduledProcedureStepSequence[0].ScheduledPerformingPhysicianName == "Jérôme^M"


def test_nesting_without_end_is_refused() -> None:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    data = (struct.pack("<HHI", 0x0040, 0x0100, 0xFFFFFFFF) + item) * (MAX_DEPTH + 1)
    with pytest.raises(DataSetError, match="nested"):
        decode(data, explicit=False)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_rubbish_is_an_error(data: bytes, explicit: bool) -> None:
    with contextlib.suppress(DataSetError):
        decode(data, explicit=explicit)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 400), st.integers(0, 255), st.booleans())
def test_one_wrong_byte_is_an_error_or_a_data_set(place: int, value: int, explicit: bool) -> None:
    data = bytearray(encode(SAMPLE, explicit=explicit))
    data[place % len(data)] = value
    with contextlib.suppress(DataSetError):
        decode(bytes(data), explicit=explicit)
