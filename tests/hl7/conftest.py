"""A hospital with a registered sender, and messages to send it."""

import pytest

from apps.hl7 import listener
from apps.hl7.domain.message import parse
from tests.orders.conftest import build_hospital

ADDRESS = "192.0.2.7:4711"


def header(kind, control_id="C1", sender=("HIS", "NORTHHOSP"), charset="", version="2.5.1"):
    return (
        rf"MSH|^~\&|{sender[0]}|{sender[1]}|ISOCENTER|MAIN|20261124120000||{kind}|{control_id}|P|"
        f"{version}||||||{charset}"
    )


PID = "PID|1||4712^^^MRN^MR||Lind^Karin^^^Dr||19800203|F"


def message(*segments, encoding="utf-8"):
    return "".join(f"{segment}\r" for segment in segments).encode(encoding)


def send(data):
    return parse(listener.answer(data, ADDRESS))


def answered(ack):
    """MSA-1, and of each ERR its severity, code, location and words."""
    errors = [(err.value(4), err.value(3), err.raw(2), err.value(8)) for err in ack.all("ERR")]
    return ack.first("MSA").value(1), errors


@pytest.fixture
def hospital(db):
    return build_hospital()
