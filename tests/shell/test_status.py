"""Every state has an icon and words, and its colour is the one its tone asks for."""

import json
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.apps import apps as django_apps
from django.template import Context, Template

from apps.core.machines import Machine
from apps.core.status import status_table, status_words
from apps.studies.domain import Availability, Completeness

ROOT = Path(__file__).resolve().parents[2]
ICONS = set(re.findall(r'<symbol id="([^"]+)"', (ROOT / "static/icons.svg").read_text()))
UPS_STATES = ("SCHEDULED", "IN PROGRESS", "CANCELED", "COMPLETED")  # PS3.4 CC.1.1


def machines() -> list[Machine]:
    found = []
    for config in django_apps.get_app_configs():
        if config.name.startswith("apps.") and find_spec(f"{config.name}.domain"):
            module = import_module(f"{config.name}.domain")
            found += [v for v in vars(module).values() if isinstance(v, Machine)]
    return list({m.name: m for m in found}.values())


def test_there_are_the_machines_of_the_design():
    assert {m.name for m in machines()} >= {"order", "appointment", "sps", "mpps", "report"}


@pytest.mark.parametrize("machine", machines(), ids=lambda m: m.name)
def test_every_state_of_every_machine_has_icon_and_words(machine):
    for state in machine.states:
        shown = status_words(f"{machine.name}.{state}")
        assert shown.words
        assert shown.icon in ICONS


@pytest.mark.parametrize(
    "code",
    [
        *(f"study.{c.value}" for c in Completeness),
        *(f"study.{a.value}" for a in Availability),
        *(f"ups.{s}" for s in UPS_STATES),
    ],
)
def test_states_without_a_machine_have_them_too(code):
    assert status_words(code).icon in ICONS


def test_every_icon_named_is_in_the_sprite():
    assert {shown.icon for shown in status_table().values()} <= ICONS


def test_the_style_sheet_gives_each_state_the_tone_of_the_table():
    css = re.sub(r"/\*.*?\*/", "", (ROOT / "static/css/tokens.css").read_text(), flags=re.S)
    tones = {}
    for selectors, tone in re.findall(r'((?:\[data-s="[^"]+"\],?\s*)+)\{ --s: var\(--(\w+)\)', css):
        tones |= dict.fromkeys(re.findall(r'data-s="([^"]+)"', selectors), tone)
    families = json.loads((ROOT / "static/status.json").read_text())
    wanted = {
        f"{family}.{code}": shown["tone"]
        for family, entry in families.items()
        for code, shown in entry["states"].items()
        if shown["tone"] != "quiet"
    }
    tones.pop("ai")
    assert tones == wanted


def test_an_unknown_state_is_an_error():
    with pytest.raises(LookupError, match=r"no state 'report.nonsense'"):
        status_words("report.nonsense")


def test_the_tag_writes_icon_words_and_code():
    text = Template('{% load ui %}{% status "appointment" "booked" variant="chip" %}').render(
        Context()
    )
    assert 'class="status status--chip" data-s="appt.booked"' in text
    assert "#s-dot" in text
    assert text.endswith("Booked</span>")
