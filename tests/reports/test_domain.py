"""What a report's text may be, and the machine of its states."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidInputError, TransitionNotAllowedError
from apps.reports.domain import (
    REPORT,
    Block,
    blocks,
    clean_sections,
    clean_text,
    fill,
    has_words,
    open_fields,
    version_digest,
)

EVENTS = ("autosave", "preliminary", "sign", "addend", "correct", "cancel")
STATES = ("registered", "preliminary", "final", "appended", "corrected", "cancelled")
# Written out by hand from RP1, not from the table: what each event makes of each state.
WANTED = {
    "autosave": "registered preliminary final appended corrected -",
    "preliminary": "preliminary preliminary - - - -",
    "sign": "final final - - - -",
    "addend": "- - appended appended appended -",
    "correct": "- - corrected corrected corrected -",
    "cancel": "cancelled cancelled cancelled cancelled cancelled -",
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_every_event_in_every_state(event, state):
    wanted = dict(zip(STATES, WANTED[event].split(), strict=True))[state]
    if wanted == "-":
        with pytest.raises(TransitionNotAllowedError):
            REPORT.target(event, state)
    else:
        assert REPORT.target(event, state) == wanted


def test_machine_has_no_other_states_or_events():
    assert set(REPORT.states) == set(STATES)
    assert set(REPORT.events) == set(EVENTS)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("  a\r\nb\rc  \n", "  a\nb\nc"),
        ("a\x00b\x07c\u200bd\ufeff", "abcd"),
        ("a\tb", "a b"),
        ("one\n\n\n\n\ntwo", "one\n\ntwo"),
        ("Befund ü", "Befund ü"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("\u202egnihton", "gnihton"),
    ],
)
def test_clean_text(raw, kept):
    assert clean_text(raw) == kept


@given(st.text())
def test_clean_text_is_settled_at_once(raw):
    assert clean_text(clean_text(raw)) == clean_text(raw)


@given(st.text(alphabet=st.characters(categories=("L", "N", "P"))))
def test_clean_text_keeps_every_visible_character(raw):
    import unicodedata

    assert clean_text(raw) == unicodedata.normalize("NFC", raw)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        "text",
        [{"key": "findings", "title": "Findings"}],
        [{"key": "findings", "title": "Findings", "text": 3}],
        [{"key": "Find ings", "title": "Findings", "text": ""}],
        [{"key": "findings", "title": " ", "text": ""}],
        [{"key": "findings", "title": "F", "text": "x" * 50_001}],
        [{"key": "findings", "title": "F", "text": ""}] * 41,
    ],
)
def test_other_shapes_are_refused(bad):
    with pytest.raises(InvalidInputError):
        clean_sections(bad)


def test_sections_lose_what_is_not_theirs():
    found = clean_sections(
        [{"key": "findings", "title": " Find\nings ", "text": "x ", "html": "<b>"}]
    )
    assert found == [{"key": "findings", "title": "Find ings", "text": "x"}]


def test_blocks_are_paragraphs_and_lists():
    text = "Seen:\n- one\n* two\nThen\n\n3. third\n4) fourth\n\n2 cm"
    assert blocks(text) == [
        Block("paragraph", ("Seen:",)),
        Block("bullets", ("one", "two")),
        Block("paragraph", ("Then",)),
        Block("numbers", ("third", "fourth"), 3),
        Block("paragraph", ("2 cm",)),
    ]


def test_measures_are_no_lists():
    assert [b.kind for b in blocks("3.5 cm mass\n-5 HU")] == ["paragraph"]


def test_open_fields_and_variables():
    section = {"key": "findings", "title": "F", "text": "Nodule of [size] mm, [side], see [1\n2]"}
    assert open_fields([section]) == ["[size]", "[side]"]
    assert fill("{age} {sex}, {comparison} {other}", {"age": "58 y", "sex": "female"}) == (
        "58 y female,  {other}"
    )


def test_a_report_says_something_in_findings_or_impression():
    def text(**texts):
        return [{"key": k, "title": k, "text": v} for k, v in texts.items()]

    assert not has_words(text(indication="Pain", technique="CT", comparison="None.", findings=" "))
    assert has_words(text(indication="", impression="Normal."))
    assert has_words(text(lungs="Clear."))


def test_digest_covers_every_part():
    content = {"report": 1, "number": 1, "sections": [], "previous_digest": ""}
    base = version_digest(content)
    assert base == version_digest(dict(reversed(content.items())))
    for key in content:
        assert version_digest({**content, key: "other"}) != base
