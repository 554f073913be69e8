"""The conformance statement: written from the code, and found stale where it is not."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.conformance.statement import facts
from apps.core.character_sets import SUPPORTED, decode_text, encode_text, terms_of


def statement(*options: str) -> str:
    out = StringIO()
    call_command("conformance_statement", *options, stdout=out)
    return out.getvalue()


def test_a_stale_statement_is_found(tmp_path, settings):
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    with pytest.raises(CommandError, match="stale"):
        statement("--check")
    statement("--write")
    statement("--check")
    settings.ISOCENTER_AE_TITLE = "OTHER"
    with pytest.raises(CommandError, match="conformance_statement --write"):
        statement("--check")


def test_the_statement_and_its_facts_say_the_same():
    text, known = statement(), json.loads(statement("--json"))
    assert known == json.loads(json.dumps(facts()))
    for one in known["dimse"]["served"] + known["dimse"]["storage"]:
        assert f"| {one['name']} | `{one['uid']}` |" in text
    for one in known["dimse"]["keys"]:
        assert f"{one['keyword']} | {one['tag']} | {one['vr']} |" in text
    for one in known["dicomweb"]["resources"]:
        assert f"| `{one['address'].removeprefix('/dicom-web/')}` | {one['methods'][0]}" in text
    assert "{{" not in text
    assert "{%" not in text


SAID = {  # a letter beyond ASCII of each right half or two-byte set
    "13": "ﾔ", "58": "张", "87": "山",
    "100": "é", "101": "ł", "109": "ħ", "110": "ņ", "126": "Δ",
    "127": "ق", "138": "ש", "144": "Л",
    "148": "ğ", "149": "김", "159": "丂", "166": "ก", "203": "€",
}  # fmt: skip


@pytest.mark.parametrize("term", SUPPORTED)
def test_each_character_set_that_is_claimed_is_read_and_written(term):
    number = term.rpartition(" ")[2]
    character_set = f"\\{term}" if term.startswith("ISO 2022") else term
    text = SAID.get(number, "Jörg" if term in ("ISO_IR 192", "GB18030", "GBK") else "Jones")
    text = "张" if term == "GBK" else text
    terms = terms_of(character_set)
    raw = encode_text(f"Ab^{text}", terms, person=True)
    assert decode_text(raw, terms, person=True) == f"Ab^{text}"
    assert raw.isascii() == (text == "Jones" or number in ("87", "159"))
