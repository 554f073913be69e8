"""Specific Character Set: the standard's own examples, pydicom's view, real files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.charset import convert_encodings, decode_bytes

from apps.core.character_sets import decode_text, encode_text, terms_of

H_3_1 = bytes.fromhex(
    "59616d6164615e5461726f753d1b24423b3345441b28425e1b244242404f"
    "3a1b28423d1b24422464245e24401b28425e1b2442243f246d24261b2842"
)
H_3_2 = bytes.fromhex(
    "d4cfc0de5ec0dbb33d1b24423b3345441b284a5e1b244242404f3a1b284a"
    "3d1b24422464245e24401b284a5e1b2442243f246d24261b284a"
)
I_2 = bytes.fromhex(
    "486f6e675e47696c646f6e673d1b242943fbf35e1b242943d1ced4d73d1b242943c8ab5e1b242943b1e6b5bf"
)
K_2 = bytes.fromhex("5a68616e675e5869616f446f6e673d1b242941d5c55e1b242941d0a1b6ab3d")
EXAMPLES = [  # PS3.5 H.3.1, H.3.2, I.2, K.2, J.1, J.2
    ("\\ISO 2022 IR 87", H_3_1, "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ("ISO 2022 IR 13\\ISO 2022 IR 87", H_3_2, "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    ("\\ISO 2022 IR 149", I_2, "Hong^Gildong=洪^吉洞=홍^길동"),
    ("\\ISO 2022 IR 58", K_2, "Zhang^XiaoDong=张^小东="),
    ("ISO_IR 192", "Wang^XiaoDong=王^小東=".encode(), "Wang^XiaoDong=王^小東="),
    ("GB18030", "Wang^XiaoDong=王^小东=".encode("gb18030"), "Wang^XiaoDong=王^小东="),
]


@pytest.mark.parametrize(("character_set", "raw", "text"), EXAMPLES)
def test_the_examples_of_the_standard(character_set, raw, text):
    terms = terms_of(character_set)
    assert decode_text(raw, terms, person=True) == text
    assert encode_text(text, terms, person=True) == raw


def test_a_byte_of_a_longer_character_is_no_delimiter():
    kanji = next(
        char
        for char in map(chr, range(0x4E00, 0x9FFF))
        if b"\\" in char.encode("iso2022_jp", "ignore")
    )
    terms = terms_of("\\ISO 2022 IR 87")
    raw = encode_text(f"{kanji}\\{kanji}", terms)
    assert raw.count(b"\\") == 3
    assert decode_text(raw, terms) == f"{kanji}\\{kanji}"
    chinese = next(
        char for char in map(chr, range(0x4E00, 0x9FFF)) if b"\\" in char.encode("gbk", "ignore")
    )
    assert decode_text(f"{chinese}\\a".encode("gb18030"), terms_of("GB18030")) == f"{chinese}\\a"


@pytest.mark.parametrize(
    ("character_set", "text"),
    [("ISO_IR 100", "山田"), ("ISO_IR 13", "漢"), ("\\ISO 2022 IR 149", "ﾔﾏ"), ("", "é")],
)
def test_what_a_set_cannot_say_is_refused_not_replaced(character_set, text):
    with pytest.raises(UnicodeEncodeError):
        encode_text(text, terms_of(character_set))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ISO IR 100", ("ISO_IR 100",)),
        ("iso_ir 192", ("ISO_IR 192",)),
        ("\\ISO2022 IR 87", ("ISO_IR 6", "ISO 2022 IR 87")),
        ("latin-9", ("ISO_IR 6",)),
    ],
)
def test_misspelled_terms_are_understood(written, meant):
    assert terms_of(written) == meant


SETS = {
    "ISO_IR 144": "Люкcембург",
    "ISO 2022 IR 100\\ISO 2022 IR 126": "Äß^ Διον",
    "\\ISO 2022 IR 87\\ISO 2022 IR 149": "山やA^김홍",
    "ISO_IR 138": "שרון",
}


@given(st.data())
def test_what_is_written_is_what_pydicom_and_we_read(data):
    character_set = data.draw(st.sampled_from(sorted(SETS)))
    text = data.draw(st.text(alphabet=SETS[character_set], max_size=12))
    terms = terms_of(character_set)
    raw = encode_text(text, terms, person=True)
    assert decode_text(raw, terms, person=True) == text
    encodings = convert_encodings(character_set.split("\\"))
    assert decode_bytes(raw, encodings, {0x5C, 0x5E, 0x3D}) == text


@given(st.binary(max_size=40), st.sampled_from(sorted(SETS)))
def test_no_bytes_break_the_reader(raw, character_set):
    assert isinstance(decode_text(raw, terms_of(character_set), person=True), str)


def test_names_of_real_files_come_back_byte_for_byte(shared_data: Path):
    seen = 0
    for path in sorted((shared_data / "dicom" / "charset").iterdir()):
        ds = dcmread(path, stop_before_pixels=True, force=True)
        if "PatientName" not in ds:
            continue
        raw = ds.get_item("PatientName").value
        said = ds.get("SpecificCharacterSet", "")
        terms = terms_of(said if isinstance(said, str) else "\\".join(said))
        again = encode_text(decode_text(raw, terms, person=True), terms, person=True)
        assert again.rstrip() in (raw.rstrip(), raw.rstrip().removesuffix(b"\x1b(B")), path.name
        seen += 1
    assert seen >= 15
