"""The codec: separators, escapes, repetitions, character sets, data types; hl7apy and hl7 agree."""

import datetime
import string

import hl7 as foreign_hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.hl7.domain import charsets, datatypes
from apps.hl7.domain.acknowledgement import AckCode, ErrorCode, Problem, build_ack
from apps.hl7.domain.message import (
    Builder,
    MessageError,
    Separators,
    escape,
    parse,
    unescape,
)

HEADER = r"MSH|^~\&|HIS|NORTH|ISOCENTER|MAIN|20261124120000||ADT^A04^ADT_A01|C1|P|2.5.1"
TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=("Cs",)), max_size=40
)
# The full stop is part of the escape for a line break.
PUNCTUATION = [c for c in string.punctuation if c != "."]


def message_with(pid: str, header: str = HEADER) -> bytes:
    return f"{header}\r{pid}\r".encode()


@given(TEXT)
def test_escape_round_trip(text):
    assert unescape(escape(text), Separators()) == text


@given(TEXT, st.permutations(PUNCTUATION))
def test_escape_round_trip_with_any_separators(text, marks):
    separators = Separators(*marks[:5])
    escaped = escape(text, separators)
    assert not set(escaped) & {
        separators.field,
        separators.component,
        separators.repetition,
        separators.subcomponent,
    } - {separators.escape}
    assert unescape(escaped, separators) == text


@given(st.lists(st.lists(TEXT, min_size=1, max_size=4), min_size=1, max_size=4))
def test_build_then_parse_gives_the_same_leaves(repetitions):
    builder = Builder().add("MSH", {3: "A", 9: ("ADT", "A04"), 10: "1", 12: "2.5.1"})
    builder.add("PID", {3: [tuple(components) for components in repetitions], 30: "end"})
    parsed = parse(builder.text().encode())
    pid = parsed.all("PID")[0]
    raw = pid.raw(3).split("~")
    assert len(raw) == len(repetitions)
    filled = [one for one in repetitions if any(text.strip() for text in one)]
    for index, components in enumerate(repetitions):
        if components in filled and len(filled) == len(repetitions):
            for number, text in enumerate(components, start=1):
                assert pid.repetitions(3)[index].value(number) == text.strip(" ")
    assert pid.value(30) == "end"


@given(st.binary(max_size=300))
def test_parse_never_fails_otherwise(data):
    for candidate in (data, b"MSH" + data, b"MSH|^~\\&|" + data):
        try:
            parse(candidate)
        except (MessageError, charsets.CharsetError):
            continue


def test_separators_come_from_msh():
    data = b"MSH*:+!?*HIS*NORTH***20261124**ADT:A04*77*P*2.4\rPID***1:::A?9?ISO+2:::B**O!F!N:J\r"
    message = parse(data)
    pid = message.first("PID")
    assert message.message_code == "ADT"
    assert message.control_id == "77"
    assert [one.value(1) for one in pid.repetitions(3)] == ["1", "2"]
    assert pid.repetitions(3)[0].value(4, 2) == "9"
    assert pid.value(5) == "O*N"


@pytest.mark.parametrize("bad", ["|^^&\\", "|^~~&", "A^~\\&", "|", "|||||"])
def test_unusable_separators(bad):
    with pytest.raises(MessageError):
        parse(f"MSH{bad}|HIS|N".encode())


@pytest.mark.parametrize("terminator", ["\r", "\n", "\r\n"])
def test_any_segment_terminator(terminator):
    data = terminator.join([HEADER, "PID|||1", "PV1||O", ""]).encode()
    assert [segment.name for segment in parse(data).segments] == ["MSH", "PID", "PV1"]


def test_line_break_inside_a_field_is_kept():
    data = f"{HEADER}\rNTE|1||first line\nsecond line\rPV1||O\r".encode()
    message = parse(data)
    assert message.first("NTE").value(3) == "first line\nsecond line"
    assert [segment.name for segment in message.segments] == ["MSH", "NTE", "PV1"]


def test_two_messages_in_one_frame_are_refused():
    with pytest.raises(MessageError, match="more than one MSH"):
        parse(f"{HEADER}\r{HEADER}\r".encode())


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r"A\T\B", "A&B"),
        (r"\X48656C6C6F\ there", "Hello there"),
        (r"one\.br\two\.sp2\three", "one\ntwo\n\nthree"),
        (r"\H\loud\N\ quiet", "loud quiet"),
        (r"C:\temp", r"C:\temp"),
        (r"odd\Zq\ stays", r"odd\Zq\ stays"),
        (r"\X4\ and \XZZ\ ", r"\X4\ and \XZZ\ "),
    ],
)
def test_unescape(sent, meant):
    assert unescape(sent, Separators()) == meant


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("8859/1", "Müller^Åse"),
        ("8859/2", "Łukasz^Żółć"),
        ("8859/5", "Иванов^Пётр"),
        ("8859/7", "Παπαδόπουλος^Γιώργος"),
        ("8859/9", "Şahin^Işık"),
        ("8859/15", "Œuvre^€"),
        ("UNICODE UTF-8", "Παπαδόπουλος^Γιώργος"),
        ("GB 18030-2000", "王^小东"),
        ("KS X 1001", "홍^길동"),
        ("BIG-5", "陳^大文"),
        ("~ISO IR87", "山田^太郎"),
        ("ASCII~ISO IR87~ISO IR159", "山田^太郎"),
    ],
)
def test_character_sets(charset, name):
    codec = charsets.codec_for(charset.split("~"))[1]
    header = HEADER + "||||||" + charset
    data = header.encode() + b"\rPID|||1||" + name.encode(codec) + b"\r"
    message = parse(data)
    family, given_name = name.split("^")
    assert message.first("PID").value(5, 1) == family
    assert message.first("PID").value(5, 2) == given_name


def test_undeclared_bytes_are_utf8_or_latin1():
    assert parse(message_with("PID|||1||Müller")).first("PID").value(5) == "Müller"
    data = f"{HEADER}\rPID|||1||Müller\r".encode("latin-1")
    assert parse(data).first("PID").value(5) == "Müller"
    greek = f"{HEADER}\rPID|||1||Γιώργος\r".encode("iso8859_7")
    assert parse(greek, default_charset="8859/7").first("PID").value(5) == "Γιώργος"


def test_wrong_character_sets_are_refused_in_words():
    with pytest.raises(charsets.CharsetError, match="not a character set of table 0211"):
        parse(message_with("PID|||1||Müller", HEADER + "||||||KLINGON"))
    latin = message_with("PID|||1||@", HEADER + "||||||UNICODE UTF-8").replace(b"@", b"M\xfcller")
    with pytest.raises(charsets.CharsetError, match="MSH-18 says"):
        parse(latin)
    # Where every byte is ASCII the name does not matter.
    assert parse(message_with("PID|||1||Muller", HEADER + "||||||KLINGON"))


def test_person_name_groups():
    pid = parse(
        message_with(
            "PID|||1||Maiden^Ann^^^^^M~Yamada^Tarou^J^Jr^Dr^^L^A~山田^太郎^^^^^L^I~やまだ^たろう^^^^^L^P"
        )
    ).first("PID")
    assert datatypes.person_name(pid, 5) == "Yamada^Tarou^J^Dr^Jr=山田^太郎=やまだ^たろう"
    built = Builder().add("PID", {5: datatypes.xpn("Yamada^Tarou^J^Dr^Jr=山田^太郎")}).lines[0]
    assert built == "PID|||||Yamada^Tarou^J^Jr^Dr^^L^A~山田^太郎^^^^^L^I"


def test_identifiers_keep_every_repetition():
    pid = parse(
        message_with('PID|||7^^^NORTH&1.2.3&ISO^MR^^20200101~8^^^NHS^NH~9~^^^EMPTY^MR~""')
    ).first("PID")
    found = datatypes.identifiers(pid, 3)
    assert [(one.value, one.issuer.name, one.type_code) for one in found] == [
        ("7", "NORTH", "MR"),
        ("8", "NHS", "NH"),
        ("9", "", ""),
    ]
    assert found[0].issuer.universal_id == "1.2.3"
    assert found[0].valid_from == datetime.date(2020, 1, 1)


@pytest.mark.parametrize("bad", ["Aug 15, 1942", "1942", "19420230", "194208150", "20261399"])
def test_no_dates(bad):
    with pytest.raises(datatypes.DataTypeError):
        datatypes.date(bad)


@given(st.datetimes(), st.integers(-14 * 60, 14 * 60))
def test_timestamp_round_trip(naive, minutes):
    zone = datetime.timezone(datetime.timedelta(minutes=minutes))
    moment = naive.replace(microsecond=0, tzinfo=zone)
    text = datatypes.format_timestamp(moment)
    assert datatypes.timestamp(text, datetime.UTC) == moment


def test_acknowledgement_read_by_foreign_parser():
    message = parse(message_with("PID|||1||Γιώργος", HEADER + "||||||UNICODE UTF-8"))
    problem = Problem(ErrorCode.REQUIRED_FIELD, "PID-3 | is empty für Γιώργος", ("PID", 1, 3))
    data = build_ack(
        AckCode.ERROR,
        message=message,
        at=datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC),
        control_id="A1",
        problems=(problem,),
    )
    answer = foreign_hl7.parse(data.decode("utf-8"))
    assert str(answer.segment("MSA")[1]) == "AE"
    assert str(answer.segment("MSA")[2]) == "C1"
    assert answer.unescape(str(answer.segment("ERR")[8])) == problem.words
    assert str(answer.segment("ERR")[2]) == "PID^1^3"
    assert str(answer.segment("MSH")[18]) == "UNICODE UTF-8"


def test_acknowledgement_leaves_its_charset_when_words_do_not_fit():
    header = HEADER + "||||||8859/1"
    message = parse(f"{header}\rPID|||1||Müller\r".encode("latin-1"))
    data = build_ack(
        AckCode.ERROR,
        message=message,
        at=datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC),
        control_id="A1",
        problems=(Problem(ErrorCode.DATA_TYPE, "Γιώργος"),),
    )
    assert parse(data).first("ERR").value(8) == "Γιώργος"
    assert parse(data).msh.value(18) == "UNICODE UTF-8"
