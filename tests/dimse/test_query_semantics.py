"""C-FIND as the standard has it: hierarchy, what is negotiated, limits, character sets, users."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pynetdicom.pdu_primitives import UserIdentityNegotiation
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelMove,
)

from apps.accounts.domain import Role
from apps.accounts.models import User
from apps.accounts.selectors import actor_for_ae
from apps.accounts.services import token_issue, user_save
from apps.audit.models import AuditEvent
from apps.conformance.markdown import render
from apps.conformance.statement import facts
from apps.core import clock
from apps.core.actors import system_actor
from apps.core.uids import new_uid
from apps.dimse.data_sets import encode
from apps.dimse.upper import commands, pdu
from apps.dimse.upper.requestor import Requestor
from apps.studies.models import Study
from apps.studies.services import instances_record
from tests.dimse.peers import FIND, MOVE, associated, extended, find, move, query, register
from tests.dimse.servers import Server
from tests.factories.dicom import as_file, ct_slice, stage

pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True)]

PATIENT_FIND = PatientRootQueryRetrieveInformationModelFind
PATIENT_MOVE = PatientRootQueryRetrieveInformationModelMove
IMPLICIT = "1.2.840.10008.1.2"


@pytest.fixture
def filed(server: Server) -> Callable[..., None]:
    def store(*objects: Dataset | dict[str, Any] | Path) -> None:
        files = [
            one
            if isinstance(one, Path)
            else as_file(ct_slice(**one) if isinstance(one, dict) else one)
            for one in objects
        ]
        actor = actor_for_ae("CT_1", "127.0.0.1").actor
        batch = [stage(file) for file in files]
        instances_record(actor=actor, batch=batch, at=clock.now(), door="dimse")

    return store


STUDY_ONE, SERIES_ONE = "1.2.826.0.1.77.1", "1.2.826.0.1.77.1.1"


@pytest.mark.parametrize(
    ("model", "ds"),
    [
        (FIND, query("SERIES", SeriesInstanceUID="")),
        (FIND, query("SERIES", StudyInstanceUID="*", SeriesInstanceUID="")),
        (FIND, query("SERIES", StudyInstanceUID=["1.2", "1.3"], SeriesInstanceUID="")),
        (FIND, query("SERIES", StudyInstanceUID=STUDY_ONE, PatientName="Marl*")),
        (FIND, query("IMAGE", SOPInstanceUID="", StudyInstanceUID=STUDY_ONE)),
        (FIND, query("STUDY", Modality="CT", StudyInstanceUID="")),
        (PATIENT_FIND, query("STUDY", StudyInstanceUID="")),
        (PATIENT_FIND, query("STUDY", StudyInstanceUID="", PatientID="P*")),
        (PATIENT_FIND, query("PATIENT", PatientID="", StudyDate="2026-")),
        (PATIENT_FIND, query("SERIES", StudyInstanceUID=STUDY_ONE, SeriesInstanceUID="")),
    ],
)
def test_a_relational_query_is_refused_unless_it_was_agreed(
    server: Server, filed: Callable[..., None], model: str, ds: Dataset
) -> None:
    filed({"study": STUDY_ONE, "series": SERIES_ONE})
    if ds.get("StudyDate"):
        ds.StudyDate = "20260101-"
    with associated(server, model) as assoc:
        [(refused, none)] = assoc.send_c_find(ds, model)
    assert (refused.Status, none) == (0xA900, None)
    assert refused.ErrorComment.startswith("Not relational: ")
    offending = keyword_for_tag(refused.OffendingElement)
    assert refused.ErrorComment.endswith(offending)
    rows, statuses = find(server, ds, model, [extended(model, 1)])
    assert statuses[-1] == 0
    assert len(rows) == (0 if ds.get("StudyInstanceUID") == ["1.2", "1.3"] else 1)


def test_the_hierarchy_goes_down_by_one_unique_key_a_level(
    server: Server, filed: Callable[..., None]
) -> None:
    filed({"study": STUDY_ONE, "series": SERIES_ONE}, {"PatientID": "P2"})
    keys = {"PatientID": "P1"}
    for level, keyword, value in (
        ("PATIENT", "PatientID", "P1"),
        ("STUDY", "StudyInstanceUID", STUDY_ONE),
        ("SERIES", "SeriesInstanceUID", SERIES_ONE),
    ):
        ds = query(level, **keys)
        if keyword not in ds:
            setattr(ds, keyword, "")
        rows, statuses = find(server, ds, PATIENT_FIND)
        assert [getattr(row, keyword) for row in rows] == [value]
        assert statuses == [0xFF00, 0]
        keys[keyword] = value
    rows, _ = find(server, query("IMAGE", **keys, SOPInstanceUID="", Rows=None), PATIENT_FIND)
    assert [row.Rows for row in rows] == [16]


@pytest.mark.parametrize(
    ("model", "asked", "answered"),
    [
        (FIND, (1, 1, 1, 1, 1), (1, 1, 1, 0, 0)),
        (FIND, (0, 1, 0), (0, 1, 0)),
        (FIND, (1,), (1,)),
        (PATIENT_FIND, (1, 0, 1), (1, 0, 1)),
        (MOVE, (1, 1), (1, 0)),
    ],
)
def test_what_is_agreed_is_what_is_asked_for_and_true(
    server: Server, model: str, asked: tuple[int, ...], answered: tuple[int, ...]
) -> None:
    with associated(server, model, roles=[extended(model, *asked)]) as assoc:
        agreed = assoc.acceptor.sop_class_extended
    assert agreed == {model: bytes(answered)}


def test_nothing_asked_nothing_agreed(server: Server) -> None:
    with associated(server, FIND) as assoc:
        assert assoc.acceptor.sop_class_extended == {}


def test_names_and_moments_match_as_agreed(server: Server, filed: Callable[..., None]) -> None:
    filed(
        {"PatientID": "A", "StudyDate": "20260101", "StudyTime": "0900"},
        {"PatientID": "B", "StudyDate": "20260102", "StudyTime": "0300"},
    )
    ds = query(PatientID="", StudyDate="20260101-20260102", StudyTime="0800-1000")
    assert [row.PatientID for row in find(server, ds)[0]] == ["A"]
    both, _ = find(server, ds, FIND, [extended(FIND, 0, 1)])
    assert sorted(row.PatientID for row in both) == ["A", "B"]
    ds = query(PatientID="", PatientName="june marl")
    assert find(server, ds)[0] == []
    assert len(find(server, ds, FIND, [extended(FIND, 0, 0, 1)])[0]) == 2


def test_too_many_matches_are_a_refusal_not_a_shorter_list(
    server: Server, filed: Callable[..., None], settings: Any
) -> None:
    filed({}, {}, {})
    settings.ISOCENTER_QUERY_ROWS = 2
    with associated(server, FIND) as assoc:
        [(status, row)] = list(assoc.send_c_find(query(StudyInstanceUID=""), FIND))
    assert (status.Status, row) == (0xA700, None)
    assert "narrow" in status.ErrorComment


def test_sequence_keys_match_and_come_back(server: Server, filed: Callable[..., None]) -> None:
    item = Dataset()
    item.RequestedProcedureID, item.ScheduledProcedureStepID = "RP1", "SPS1"
    filed(
        {"study": STUDY_ONE, "RequestAttributesSequence": [item]},
        {"study": STUDY_ONE, "Modality": "MR"},
    )
    ds = query("SERIES", StudyInstanceUID=STUDY_ONE, Modality="")
    asked = Dataset()
    asked.RequestedProcedureID, asked.ScheduledProcedureStepID = "RP?", ""
    ds.RequestAttributesSequence = [asked]
    (row,), statuses = find(server, ds)
    assert row.RequestAttributesSequence == [item]
    assert statuses == [0xFF00, 0]
    asked.AccessionNumber = "X"  # of the request, which is not indexed: not the study's
    assert find(server, ds)[1] == [0xFF01, 0]
    asked.RequestedProcedureID = "OTHER"
    assert find(server, ds)[0] == []


def test_an_optional_key_that_is_not_held_is_returned_empty_and_said_so(
    server: Server, filed: Callable[..., None]
) -> None:
    filed({})
    ds = query(StudyInstanceUID="", PatientComments="")
    (row,), statuses = find(server, ds)
    assert row["PatientComments"].is_empty
    assert row.RetrieveAETitle == "ISOCENTER"
    assert statuses == [0xFF01, 0]


NAMES = [
    ("ISO_IR 100", "Buc^Jérôme"),
    ("ISO_IR 101", "Wałęsa^Łódź"),
    ("ISO_IR 126", "Διονυσιος"),
    ("ISO_IR 144", "Люксембург"),
    ("ISO_IR 138", "שרון^דבורה"),
    ("ISO_IR 127", "قباني^لنزار"),
    ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
    ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
    ("GB18030", "Wang^XiaoDong=王^小东"),
    ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
]


@pytest.mark.parametrize(("character_set", "name"), NAMES)
def test_names_are_found_and_answered_in_the_askers_character_set(
    server: Server, filed: Callable[..., None], character_set: str, name: str
) -> None:
    filed(
        {"PatientID": "X", "PatientName": name, "SpecificCharacterSet": character_set.split("\\")},
        {"PatientID": "Y"},
    )
    for asked in (name, name.rpartition("=")[2], f"{name[:2]}*"):
        ds = query(PatientName=asked, PatientID="")
        ds.SpecificCharacterSet = character_set.split("\\")
        (row,), statuses = find(server, ds)
        assert (row.PatientID, str(row.PatientName)) == ("X", name)
        assert row.get("SpecificCharacterSet") == ds.SpecificCharacterSet
        assert statuses == [0xFF00, 0]
    ds = query(PatientName=name)
    ds.SpecificCharacterSet = "ISO_IR 192"  # asked in another set than it was stored in
    (row,), _ = find(server, ds)
    assert str(row.PatientName) == name


def test_real_names_are_found_by_the_bytes_they_came_in(
    server: Server, filed: Callable[..., None], shared_data: Path
) -> None:
    folder = shared_data / "dicom" / "charset"
    for path in sorted(folder.iterdir()):
        ds = dcmread(path, stop_before_pixels=True)
        if not ds.get("PatientName"):
            continue
        uid = new_uid()
        made = ct_slice(study=uid, PatientID=path.name)
        made.PatientName = ds["PatientName"].value
        if "SpecificCharacterSet" in ds:
            made.SpecificCharacterSet = ds.SpecificCharacterSet
        if path.name == "chrGB2312.dcm":
            made.PatientName = "Zhang^XiaoDong=张^小东"  # pydicom leaves the escapes in
        filed(made)
        asked = query(StudyInstanceUID="", PatientName=made.PatientName)
        if "SpecificCharacterSet" in made:
            asked.SpecificCharacterSet = made.SpecificCharacterSet
        rows, _ = find(server, asked)
        assert uid in [row.StudyInstanceUID for row in rows], path.name


def test_findscu_sees_its_own_character_set(server: Server, filed: Callable[..., None]) -> None:
    filed({"PatientID": "X", "PatientName": "Buc^Jérôme", "SpecificCharacterSet": "ISO_IR 100"})
    done = subprocess.run(
        [
            *("findscu", "-v", "-S", "-aec", "ISOCENTER", "127.0.0.1", str(server.port)),
            *("-k", "0008,0052=STUDY", "-k", "0008,0005=ISO_IR 100", "-k", "0010,0010=BUC^*"),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    assert "Buc^Jérôme".encode("latin-1") in done.stdout + done.stderr


def test_a_query_is_cancelled(
    server: Server, filed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Request and C-CANCEL come in one piece, so that it is there when the first match is sent."""
    monkeypatch.setattr("apps.dimse.scp.answers.FLUSH_BYTES", 1)
    filed(*({"PatientID": f"P{n}"} for n in range(4)))
    request: dict[int, int | str | bytes] = {
        commands.AFFECTED_SOP_CLASS_UID: FIND,
        commands.COMMAND_FIELD: commands.C_FIND_RQ,
        commands.MESSAGE_ID: 7,
        commands.PRIORITY: 0,
        commands.DATA_SET_TYPE: commands.WITH_DATA_SET,
    }
    cancel: dict[int, int | str | bytes] = {
        commands.COMMAND_FIELD: commands.C_CANCEL_RQ,
        commands.MESSAGE_ID_RESPONDED_TO: 7,
        commands.DATA_SET_TYPE: commands.NO_DATA_SET,
    }
    statuses = []
    with Requestor.open(
        host="127.0.0.1",
        port=server.port,
        called_ae="ISOCENTER",
        calling_ae="CANCELS",
        contexts=[pdu.ProposedContext(1, FIND, (IMPLICIT,))],
    ) as peer:
        wire = peer.wire
        identifier = encode({0x00080052: "STUDY", 0x0020000D: ""}, explicit=False)
        asked = wire.message(1, commands.encode_command(request), identifier)
        wire.send(asked + wire.message(1, commands.encode_command(cancel)))
        while not statuses or statuses[-1] == 0xFF00:
            answer = peer.read_response()
            statuses.append(answer.status)
            if answer.has_data_set:
                wire.stream_data_set(1, len)
    assert statuses == [0xFF00, 0xFE00]


def identity(kind: int, primary: str, secondary: str = "") -> UserIdentityNegotiation:
    item = UserIdentityNegotiation()
    item.user_identity_type = kind
    item.positive_response_requested = True
    item.primary_field = primary.encode()
    if secondary:
        item.secondary_field = secondary.encode()
    return item


@pytest.fixture
def token(server: Server) -> str:
    """Of a referrer, who was granted nothing, and who has a password too."""
    system = system_actor("test")
    for name in ("rhea", "tom"):
        user_save(actor=system, username=name, roles=[Role.REFERRER], site_codes=["MAIN"])
    user = User.objects.get(username="rhea")
    user.set_password("long enough")
    user.save()
    return token_issue(actor=system, username="rhea", at=clock.now())


@pytest.mark.parametrize("way", ["token", "token beside the name", "password"])
def test_a_proved_user_is_who_asks(
    server: Server, filed: Callable[..., None], token: str, way: str
) -> None:
    filed({})
    proof = {
        "token": identity(5, token),
        "token beside the name": identity(2, "rhea", token),
        "password": identity(2, "rhea", "long enough"),
    }[way]
    assert len(find(server, query(StudyInstanceUID=""))[0]) == 1
    with associated(server, FIND, roles=[proof]) as assoc:
        assert assoc.acceptor.user_identity is not None  # the positive response
        answers = list(assoc.send_c_find(query(StudyInstanceUID=""), FIND))
    assert [status.Status for status, _ in answers] == [0]  # a referrer without grants sees none
    user = User.objects.get(username="rhea")
    event = AuditEvent.objects.filter(event="studies.search", actor_key=f"user:{user.pk}").get()
    assert event.actor_display == str(user)


@pytest.mark.parametrize("wrong", ["token", "another's token", "password", "nobody"])
def test_a_wrong_proof_is_rejected(server: Server, token: str, wrong: str) -> None:
    proof = {
        "token": identity(5, "no-such-token"),
        "another's token": identity(2, "tom", token),
        "password": identity(2, "rhea", "long enoug"),
        "nobody": identity(2, "nobody", "long enough"),
    }[wrong]
    from pynetdicom import AE

    ae = AE("PYNET")
    ae.add_requested_context(FIND)
    assoc = ae.associate("127.0.0.1", server.port, ae_title="ISOCENTER", ext_neg=[proof])
    assert assoc.is_rejected


def test_a_mere_name_proves_nothing_and_hears_no_positive_response(
    server: Server, filed: Callable[..., None], token: str
) -> None:
    filed({})
    with associated(server, FIND, roles=[identity(1, "rhea")]) as assoc:
        assert assoc.acceptor.user_identity is None
        answers = list(assoc.send_c_find(query(StudyInstanceUID=""), FIND))
    assert [status.Status for status, _ in answers] == [0xFF00, 0]
    assert AuditEvent.objects.filter(event="studies.search", actor_key="ae:PYNET").exists()


@pytest.mark.parametrize(
    "ds",
    [
        query("SERIES", SeriesInstanceUID=SERIES_ONE),
        query("IMAGE", StudyInstanceUID=STUDY_ONE, SOPInstanceUID="1.2"),
        query("SERIES", StudyInstanceUID=[STUDY_ONE, "1.2"], SeriesInstanceUID=SERIES_ONE),
    ],
)
def test_a_relational_retrieve_is_refused_unless_it_was_agreed(
    server: Server, filed: Callable[..., None], ds: Dataset
) -> None:
    filed({"study": STUDY_ONE, "series": SERIES_ONE})
    register("SINK", 9)
    refused, _ = move(server, ds, "SINK")[-1]
    assert refused.Status == 0xA900
    assert refused.ErrorComment.startswith(f"Not relational: level {ds.QueryRetrieveLevel} needs")
    assert refused.ErrorComment.endswith(keyword_for_tag(refused.OffendingElement))
    assert move(server, ds, "SINK", [extended(MOVE, 1)])[-1][0].Status in (0xA702, 0)


def test_the_patient_root_gives_a_study_to_its_own_patient_only(
    server: Server, filed: Callable[..., None]
) -> None:
    filed({"study": STUDY_ONE, "PatientID": "P1"}, {"PatientID": "P2"})
    register("SINK", 9)
    for patient, status in (("P1", 0xA702), ("P2", 0)):  # nobody listens: what is tried fails
        ds = query("STUDY", PatientID=patient, StudyInstanceUID=STUDY_ONE)
        with associated(server, PATIENT_MOVE) as assoc:
            last, _ = list(assoc.send_c_move(ds, "SINK", PATIENT_MOVE))[-1]
        assert last.Status == status
    assert Study.objects.count() == 2


@pytest.mark.parametrize("priority", [0, 1, 2])
def test_every_priority_is_taken_and_changes_nothing(
    server: Server, filed: Callable[..., None], priority: int
) -> None:
    """Source: PS3.4 C.4.1.1.2 and C.4.2.1.2: support is not required, and our statement says so."""
    filed({"study": STUDY_ONE})
    register("SINK", 9)
    ds = query(StudyInstanceUID=STUDY_ONE)
    with associated(server, FIND, MOVE) as assoc:
        found = [status.Status for status, _ in assoc.send_c_find(ds, FIND, priority=priority)]
        moved = [s.Status for s, _ in assoc.send_c_move(ds, "SINK", MOVE, priority=priority)]
    assert found == [0xFF00, 0]
    assert moved[-1] == 0xA702  # nobody listens there
    assert "Priority (0000,0700) is taken and has no effect" in render(facts())
