"""The matching rules of PS3.4 C.2.2.2, one table; expected values read from the standard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from apps.worklists.modality.matching import (
    answer,
    date_bounds,
    matches,
    name_matches,
    value_matches,
    wildcard_matches,
)


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ("FALK^INES", "Falk^Ines", True),
        ("Falk^Ines^^^", "Falk^Ines", True),
        ("Falk", "Falk^Ines", False),
        ("Falk*", "Falk^Ines", True),
        ("falk^i?es", "Falk^Ines", True),
        ("*^Ines", "Falk^Ines", True),
        ("Fal?", "Falk^Ines", False),
        ("Muller*", "Müller^Jörg", True),
        ("MÜLLER^JÖRG", "Muller^Jorg", True),
        ("Yamada*", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        ("山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        ("=山田*", "Yamada^Tarou=山田^太郎=やまだ^たろう", True),
        ("Yamada*=鈴木*", "Yamada^Tarou=山田^太郎", False),
        ("=山田*", "Yamada^Tarou", False),
        ("Ines", "Falk^Ines", False),
        ("F.lk^Ines", "Falk^Ines", False),
        ("*", "", True),
    ],
)
def test_names(wanted, found, expected):
    assert name_matches(wanted, found) is expected


@pytest.mark.parametrize(
    ("vr", "wanted", "found", "expected"),
    [
        ("DA", "20261124", "20261124", True),
        ("DA", "20261125", "20261124", False),
        ("DA", "20261124-20261126", "20261124", True),
        ("DA", "20261124-20261126", "20261126", True),
        ("DA", "20261124-20261126", "20261127", False),
        ("DA", "-20261124", "20261124", True),
        ("DA", "20261125-", "20261124", False),
        ("DA", "20261124-", "20270101", True),
        ("TM", "10", "101530", True),
        ("TM", "1015", "101530", True),
        ("TM", "101530", "101530.000000", True),
        ("TM", "1000-1100", "105959", True),
        ("TM", "1000-1100", "110030", True),
        ("TM", "1000-1100", "110100", False),
        ("TM", "1000-", "095959", False),
        ("TM", "-1000", "000000", True),
        ("CS", "C?", "CT", True),
        ("CS", "ct", "CT", False),
        ("AE", "CT*", "CT1", True),
        ("SH", "A.0", "AX0", False),
        ("LO", "[a]*", "[a]b", True),
        ("UI", "1.2.*", "1.2.3", False),
        ("UI", "1.2.3", "1.2.3", True),
        ("IS", "1*", "12", False),
    ],
)
def test_values(vr, wanted, found, expected):
    assert value_matches(vr, wanted, found) is expected


def step(date="20261124", time="103000", **more):
    item = Dataset()
    inner = Dataset()
    inner.ScheduledProcedureStepStartDate = date
    inner.ScheduledProcedureStepStartTime = time
    inner.Modality = "CT"
    for key, value in more.items():
        setattr(inner, key, value)
    item.ScheduledProcedureStepSequence = [inner]
    item.PatientName = "Falk^Ines"
    return item


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        # PS3.4 Table K.6-1: two ranges are one, from the first date and time to the last.
        ("20261123-20261125", "1800-0600", True),
        ("20261124-20261125", "1000-1100", True),
        ("20261124-20261125", "1100-0900", False),
        ("20261123-20261124", "1800-1000", False),
        ("20261123-20261124", "1800-1030", True),
        ("-20261124", "-1000", False),
        ("20261124-", "1100-", False),
        ("20261124", "1000-1100", True),
        ("20261124", "1100-1200", False),
        ("20261123-20261125", "", True),
        ("20261123-20261125", "1030", True),
        ("", "1000-1100", True),
        ("", "", True),
    ],
)
def test_start_of_a_step(date, time, expected):
    keys = step(date, time)
    keys.ScheduledProcedureStepSequence[0].Modality = ""
    keys.PatientName = ""
    assert matches(keys, step()) is expected


def test_sequences_match_by_item_and_return_what_is_asked():
    keys = Dataset()
    inner = Dataset()
    inner.Modality = "CT"
    inner.ScheduledProcedureStepStartDate = ""
    keys.ScheduledProcedureStepSequence = [inner]
    keys.PatientName = "F*"
    keys.AccessionNumber = ""
    candidate = step()
    assert matches(keys, candidate)
    result = answer(keys, candidate)
    assert [element.keyword for element in result] == [
        "PatientName",
        "ScheduledProcedureStepSequence",
    ]
    assert [element.keyword for element in result.ScheduledProcedureStepSequence[0]] == [
        "Modality",
        "ScheduledProcedureStepStartDate",
    ]
    inner.Modality = "MR"
    assert not matches(keys, candidate)


def test_an_empty_sequence_asks_for_all_of_it():
    keys = Dataset()
    keys.ScheduledProcedureStepSequence = []
    assert matches(keys, step())
    assert len(answer(keys, step()).ScheduledProcedureStepSequence[0]) == 3


def test_dates():
    assert [str(one) for one in date_bounds("20261124-20261126")] == ["2026-11-24", "2026-11-26"]
    assert [str(one) for one in date_bounds("20261124")] == ["2026-11-24"] * 2
    assert date_bounds("-")[0] is None
    with pytest.raises(ValueError, match="does not match"):
        date_bounds("tomorrow")


@given(st.text(max_size=20))
def test_a_value_without_wild_cards_matches_itself_and_a_star_all(text):
    plain = text.replace("*", "").replace("?", "")
    assert wildcard_matches(plain, plain)
    assert wildcard_matches("*", text)
    assert wildcard_matches("?" * len(text), text)


@given(st.text(alphabet="AB*?", max_size=6), st.text(alphabet="AB", max_size=6))
def test_wild_cards_agree_with_the_shell(pattern, text):
    import fnmatch

    assert wildcard_matches(pattern, text) is fnmatch.fnmatchcase(text, pattern)
