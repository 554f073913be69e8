"""DICOM JSON of every VR, empty, single and of several values, against PS3.18 F.2 and dcmtk."""

import json
import math
import struct
import subprocess
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RawDataStorage,
)

from apps.studies.dicom_json import INLINE_BYTES, binary_value, dataset_json, text_element

YAMADA = "Yamada^Tarou=山田^太郎=やまだ^たろう"
FULL = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
EIGHT = bytes(range(1, 9))
# VR: values as pydicom takes them, the JSON of the first alone and of all (PS3.18 Table F.2.3-1).
TEXT = {
    "AE": (["ISOCENTER", "ORTHANC"],) * 2,
    "AS": (["042Y", "003M"],) * 2,
    "AT": ([0x00181063, 0x0028000A], ["00181063", "0028000A"]),
    "CS": (["ORIGINAL", "AXIAL"],) * 2,
    "DA": (["20261124", "20250101"],) * 2,
    "DS": (["1.50", "-2e3"], [1.5, -2000]),
    "DT": (["20261124101112.5+0100", "2026"],) * 2,
    "FD": ([1.5, -2.25e300], [1.5, -2.25e300]),
    "FL": ([1.5, -0.25], [1.5, -0.25]),
    "IS": (["+12", "-7"], [12, -7]),
    "LO": (["a b", "c"],) * 2,
    "LT": (["  lines\r\nmore"],) * 2,
    "PN": ([YAMADA, "Marlowe^June"], [FULL, {"Alphabetic": "Marlowe^June"}]),
    "SH": (["x", "y"],) * 2,
    "SL": ([-5, 7],) * 2,
    "SS": ([-5, 7],) * 2,
    "ST": (["one\\text"],) * 2,
    "SV": ([-5, 1 << 60], [-5, str(1 << 60)]),
    "TM": (["1011", "101112.25"],) * 2,
    "UC": (["long", "longer"],) * 2,
    "UI": (["1.2.3", "1.2.4"],) * 2,
    "UL": ([5, (1 << 32) - 1],) * 2,
    "UR": (["http://h/x?a=b"],) * 2,
    "US": ([5, 65535],) * 2,
    "UT": (["text"],) * 2,
    "UV": ([5, (1 << 64) - 1], [5, str((1 << 64) - 1)]),
}
BINARY = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")
WORDS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
SYNTAXES = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)  # fmt: skip


def turned(vr: str, value: bytes) -> bytes:
    """The words of a value the other way round."""
    size = WORDS.get(vr, 1)
    return b"".join(value[n : n + size][::-1] for n in range(0, len(value), size))


def golden(*, big_endian: bool = False) -> tuple[Dataset, dict[str, Any]]:
    """A data set with each VR empty, single and multiple, and what its JSON is."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = RawDataStorage, "1.2.3"
    expected: dict[str, Any] = {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080016": {"vr": "UI", "Value": [RawDataStorage]},
        "00080018": {"vr": "UI", "Value": ["1.2.3"]},
        "00990010": {"vr": "LO", "Value": ["GOLDEN"]},
    }
    block = ds.private_block(0x99, "GOLDEN", create=True)

    def add(vr: str, value: Any, element: dict[str, Any]) -> None:
        offset = len(expected)
        block.add_new(offset, vr, value)
        expected[f"009910{offset:02X}"] = {"vr": vr} | element

    for vr, (values, said) in TEXT.items():
        add(vr, "" if vr == "PN" else None, {})
        add(vr, values[0], {"Value": said[:1]})
        if len(values) > 1:
            add(vr, list(values), {"Value": list(said)})
    for vr in BINARY:
        add(vr, b"", {})
        value = turned(vr, EIGHT) if big_endian else EIGHT
        add(vr, value, {"InlineBinary": b64encode(EIGHT).decode()})
    return ds, expected


def as_read(ds: Dataset, syntax: str) -> Dataset:
    return dcmread(BytesIO(as_bytes(ds, syntax)))


def as_bytes(ds: Dataset, syntax: str) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def ours(ds: Dataset, *, big_endian: bool = False) -> dict[str, Any]:
    made = dataset_json(ds, lambda path: f"/{'/'.join(map(str, path))}", big_endian=big_endian)
    return json.loads(orjson.dumps(made))


def dcmtks(path: Path, program: str) -> dict[str, Any]:
    made = subprocess.run([program, path], capture_output=True, check=True).stdout
    found = json.loads(made)
    return {tag: element for tag, element in found.items() if tag[:4] != "0002"}


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda one: one.name)
def test_every_vr_is_as_annex_f_has_it(syntax):
    big_endian = syntax == ExplicitVRBigEndian
    ds, expected = golden(big_endian=big_endian)
    found = ours(as_read(ds, syntax), big_endian=big_endian)
    if syntax == ImplicitVRLittleEndian:  # whose private elements have no VR
        assert {found[tag]["vr"] for tag in found if tag[:6] == "009910"} == {"UN"}
        shown = {tag for tag in found if "InlineBinary" in found[tag]}
        assert shown == {t for t, e in expected.items() if len(e) > 1 and t[:6] == "009910"}
        return
    assert found == expected


@pytest.mark.peer
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda one: one.name)
def test_dcmtk_says_the_same_of_every_vr(tmp_path, dcmtk, syntax):
    ds, _ = golden(big_endian=syntax == ExplicitVRBigEndian)
    (tmp_path / "golden.dcm").write_bytes(as_bytes(ds, syntax))
    found = ours(dcmread(tmp_path / "golden.dcm"), big_endian=syntax == ExplicitVRBigEndian)
    assert found == dcmtks(tmp_path / "golden.dcm", dcmtk("dcm2json"))


def test_nulls_names_sequences_and_lookalikes():
    """Corners of F.2.4 and F.2.5 that tools differ in: null only within several values."""
    deep, empty_item, outer = Dataset(), Dataset(), Dataset()
    deep.CodeValue = "T-1"
    outer.ReferencedSOPSequence = [deep, empty_item]
    ds = Dataset()
    ds.ImageType = ["A", "", "C"]
    ds.OtherPatientNames = ["A^B", "", "C"]
    ds.PatientName = "=山田^太郎"
    ds.ReferencedImageSequence = []
    ds.RequestAttributesSequence = [outer]
    ds.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    ds.add_new(0x00080000, "UL", 128)
    code = {"00080100": {"vr": "SH", "Value": ["T-1"]}}
    assert ours(ds) == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},  # what the texts now are in
        "00080008": {"vr": "CS", "Value": ["A", None, "C"]},
        "00081140": {"vr": "SQ"},
        "00100010": {"vr": "PN", "Value": [{"Ideographic": "山田^太郎"}]},
        "00101001": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}, None, {"Alphabetic": "C"}]},
        "00400275": {
            "vr": "SQ",
            "Value": [{"00081199": {"vr": "SQ", "Value": [code, {}]}}],
        },
    }


@pytest.mark.parametrize(
    ("vr", "value", "said"),
    [
        ("DS", "1.5", 1.5),
        ("DS", "3", 3),
        ("DS", "not a number", "not a number"),
        ("IS", "12", 12),
        ("IS", "x", "x"),
        ("FD", float("nan"), "NaN"),
        ("FD", float("-inf"), "-Infinity"),
        ("FL", 16777217.0, 16777216),
        ("SV", (1 << 53) - 1, (1 << 53) - 1),
        ("SV", -(1 << 53), str(-(1 << 53))),
    ],
)
def test_numbers_that_are_none_or_too_large(monkeypatch, vr, value, said):
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.IGNORE)
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
    raw = as_explicit(vr, value)
    assert ours(raw)["00991001"] == {"vr": vr, "Value": [said]}


def as_explicit(vr: str, value: Any) -> Dataset:
    """A data set read from bytes written by hand: pydicom refuses to make some of these."""
    packed = {
        "FD": lambda: struct.pack("<d", value),
        "FL": lambda: struct.pack("<f", value),
        "SV": lambda: struct.pack("<q", value),
    }
    raw = packed[vr]() if vr in packed else str(value).encode()
    raw += b" " * (len(raw) % 2)
    head = struct.pack("<HH2s", 0x99, 0x1001, vr.encode())
    long = vr in ("SV", "UV")
    length = struct.pack("<HI", 0, len(raw)) if long else struct.pack("<H", len(raw))
    creator = struct.pack("<HH2sH", 0x99, 0x10, b"LO", 6) + b"GOLDEN"
    return dcmread(BytesIO(creator + head + length + raw), force=True)


@pytest.mark.parametrize("big_endian", [False, True])
def test_what_was_sent_as_un_stays_un_whatever_a_dictionary_knows(big_endian):
    """(0019,1002) of GEMS_ACQU_01 is SL by pydicom's private dictionary."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = RawDataStorage, "1.2.3"
    ds.private_block(0x19, "GEMS_ACQU_01", create=True).add_new(2, "UN", b"\x90\x03\0\0")
    syntax = ExplicitVRBigEndian if big_endian else ExplicitVRLittleEndian
    read = as_read(ds, syntax)
    assert ours(read, big_endian=big_endian)["00191002"] == {
        "vr": "UN",
        "InlineBinary": b64encode(b"\x90\x03\0\0").decode(),
    }
    assert binary_value(read, 0x00191002, big_endian=big_endian) == b"\x90\x03\0\0"


def test_long_values_have_an_address_within_sequences_too():
    item = Dataset()
    item.add_new(0x00283006, "OW", bytes(INLINE_BYTES + 2))
    item.add_new(0x00283002, "US", [1, 0, 16])
    ds = Dataset()
    ds.ModalityLUTSequence = [Dataset(), item]
    ds.EncapsulatedDocument = bytes(INLINE_BYTES)
    found = ours(ds)
    assert found["00283000"]["Value"][1]["00283006"] == {
        "vr": "OW",
        "BulkDataURI": f"/{0x00283000}/1/{0x00283006}",
    }
    assert b64decode(found["00420011"]["InlineBinary"]) == bytes(INLINE_BYTES)


def test_the_index_writes_as_the_data_set_does():
    for vr, (values, said) in TEXT.items():
        if vr in ("AT", "DS", "FD", "FL", "LT", "ST", "SV", "UV"):
            continue  # not of the index
        text = "\\".join(str(value) for value in values)
        assert text_element(vr, text) == {"vr": vr, "Value": list(said)}
        assert text_element(vr, "") == {"vr": vr}


# -- files of others ---------------------------------------------------------------------------

SAMPLES = (
    "test_files/CT_small.dcm", "test_files/examples_overlay.dcm", "test_files/reportsi.dcm",
    "test_files/rtplan.dcm", "test_files/waveform_ecg.dcm", "test_files/priv_SQ.dcm",
    "test_files/UN_sequence.dcm", "test_files/MR_small_bigendian.dcm", "charset_files/chrGerm.dcm",
    "charset_files/chrX1.dcm", "charset_files/chrKoreanMulti.dcm",
)  # fmt: skip


def same(theirs: dict[str, Any], mine: dict[str, Any]) -> list[str]:
    """The tags that differ beyond what is known of dcmtk, which

    - writes long values inline, and pads an odd one;
    - writes FL with nine digits;
    - leaves out a name that is nothing but delimiters;
    - knows no private elements of implicit VR, which pydicom has a dictionary of.
    """
    return [
        tag
        for tag in sorted(theirs.keys() | mine.keys())
        if tag < "7FE00000"
        and tag[4:] != "0000"
        and not _same(theirs.get(tag, {}), mine.get(tag, {}), private=int(tag[3], 16) % 2 == 1)
    ]


def _same(theirs: dict[str, Any], mine: dict[str, Any], *, private: bool) -> bool:
    vr, values, inline = theirs.get("vr"), theirs.get("Value", []), theirs.get("InlineBinary", "")
    if theirs == mine or (private and vr == "UN" != mine.get("vr")):
        return True
    pairs = list(zip(values, mine.get("Value", []), strict=False))
    if vr != mine.get("vr") or (vr != "PN" and len(values) != len(mine.get("Value", []))):
        return False
    if vr in ("SQ", "FL", "FD", "DS"):
        return all(
            not same(a, b) if vr == "SQ" else math.isclose(a, b, rel_tol=1e-6) for a, b in pairs
        )
    if vr == "PN":
        names = [name for value in mine["Value"] if value for name in value.values()]
        return not values and not "".join(names).strip("^=")
    if "BulkDataURI" in mine:
        return len(b64decode(inline)) > INLINE_BYTES
    return b64decode(inline) == b64decode(mine.get("InlineBinary", "")) + b"\0"


@pytest.mark.peer
@pytest.mark.parametrize("name", SAMPLES)
def test_dcmtk_says_the_same_of_files_of_others(dcmtk, name):
    path = Path(pydicom.__file__).parent / "data" / name
    if not path.exists():
        pytest.skip(f"this pydicom does not come with {name}")
    ds = dcmread(path, stop_before_pixels=True)
    mine = ours(ds, big_endian=ds.file_meta.TransferSyntaxUID == ExplicitVRBigEndian)
    assert same(dcmtks(path, dcmtk("dcm2json")), mine) == []
