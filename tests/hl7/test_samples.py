"""Every HL7 v2 message of the shared samples gets an acknowledgement, and the one it deserves."""

import hl7 as foreign_hl7

from apps.hl7 import listener
from apps.hl7.models import Hl7Message

REFUSED = {
    # no PID at all
    "ADT_A01_simhospital_message_test_2": ("AE", "no PID"),
    "ADT_A08_hl7v2_fhir_converter_HL7ConditionFHIRConversionTest": ("AE", "no PID"),
    "odd_ADT_A04_ADT_A01_python_hl7_365ce9": ("AE", "no PID"),
    "odd_ADT_A04_hapi_hl7v2_6f119a": ("AE", "no PID"),
    "ADT_A04_hl7v2_fhir_converter_Hl7ObservationFHIRConversionTest": ("AE", "MSH-10 is empty"),
    # not one readable message
    "ADT_A01_ADT_A01_hl7apy_test_parser": ("AR", "two meanings"),
    "ADT_A04_ADT_A01_python_hl7_samples": ("AR", "one message a frame"),
    # orders of other kinds, or of none
    "ORM_O01_connect_test_hl7_batch_input": ("AE", "'Aug 15, 1942' is not a date"),
    **{
        f"ORM_O01_connect_test_hl7_{name}": ("AE", "no ORC")
        for name in (
            "1636_output",
            "missing_components_output",
            "missing_fields_output",
            "missing_subcomponents_output",
            "repetitions_input",
            "whitespace_input",
        )
    },
    **{
        f"ORM_O01_hl7v2_fhir_converter_Hl7ORMMessageTest{number}": ("AE", "ORC 1 has no OBR")
        for number in ("", "_2", "_3", "_5", "_6", "_7")
    },
    "ORM_O01_hl7v2_fhir_converter_Hl7ORMMessageTest_4": ("AE", "ORC-1 'SN' is not taken here"),
}
"""Messages of kinds that are taken, and why these are not; all others of these kinds are."""

TAKEN = ("ADT_A01", "ADT_A04", "ADT_A08", "ADT_A28", "ADT_A31", "ORM_O01")


def test_every_sample(db, settings, shared_data):
    settings.ISOCENTER_OPEN_HL7 = True
    paths = sorted((shared_data / "hl7").glob("*/*.hl7"))
    assert len(paths) > 100
    for path in paths:
        data = path.read_bytes()
        answer = foreign_hl7.parse(listener.answer(data, "192.0.2.1:1").decode())
        row = Hl7Message.objects.get()
        row.delete()  # samples share control ids: each is answered as if it were the first
        code = str(answer.segment("MSA")[1])
        assert bytes(row.raw) == data
        kind = path.stem.removeprefix("odd_")
        if kind.startswith(TAKEN):
            expected, words = REFUSED.get(path.stem, ("AA", ""))
            assert (code, words in row.reason) == (expected, True), (path.stem, row.reason)
        else:
            assert code == "AR" or (code, row.reason) == ("AE", "MSH-10 is empty"), path.stem
