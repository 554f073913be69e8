"""The eight queries whose latency may not grow with the archive (docs/performance.md, Scale).

Keys are drawn from what is loaded, so that each asks for something that is there; those of the
name wildcards are chosen to have 1 to 3 answers at any size, all else has the size of its page:
what is compared is the search, not what more answers cost the one who decodes them.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from pydicom.dataset import Dataset

PAGE = 25
PAGE_50 = 49 * PAGE
Ask = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
"""Runs a statement and returns its rows."""


@dataclass(frozen=True)
class EightQuery:
    """One of the eight.

    Attributes:
        door: qido, find, worklist or reading.
        indexes: one of these has to be in its plans.
        keys: draws so many sets of keys.
        limit, offset: of the page, where the door has pages.
    """

    name: str
    door: str
    indexes: tuple[str, ...]
    keys: Callable[[Ask, random.Random, int], list[dict[str, str]]]
    limit: int = PAGE
    offset: int = 0

    def path(self, keys: dict[str, str]) -> str:
        """The QIDO-RS address."""
        page = {"limit": str(self.limit)} | ({"offset": str(self.offset)} if self.offset else {})
        return f"/dicom-web/studies?{urlencode(keys | page)}"


def _ids(table: str, ask: Ask, rng: random.Random, count: int, where: str = "TRUE") -> list[int]:
    """Primary keys of random rows."""
    [(low, high)] = ask(f"SELECT min(id), max(id) FROM {table}", ())
    drawn = [rng.randint(low, high) for _ in range(count * 4)]
    rows = ask(f"SELECT id FROM {table} WHERE id = ANY(%s) AND {where}", (drawn,))
    found = [key for (key,) in rows]
    rng.shuffle(found)
    return found[:count]


def patient_ids(ask: Ask, rng: random.Random, count: int) -> list[dict[str, str]]:
    keys = _ids("studies_study", ask, rng, count)
    rows = ask("SELECT received_patient_id FROM studies_study WHERE id = ANY(%s)", (keys,))
    return [{"PatientID": value} for (value,) in rows]


def _names(ask: Ask, rng: random.Random, count: int) -> list[tuple[str, str]]:
    keys = _ids("patients_patient", ask, rng, count)
    rows = ask("SELECT name_alphabetic FROM patients_patient WHERE id = ANY(%s)", (keys,))
    return [(name.split("^")[0], name.split("^")[1]) for (name,) in rows]


def name_prefixes(ask: Ask, rng: random.Random, count: int) -> list[dict[str, str]]:
    """As people type them: three letters and more of a family name, common ones as often as met."""
    return [{"PatientName": f"{f[: rng.randint(3, 8)]}*"} for f, _ in _names(ask, rng, count)]


def dates_and_modality(ask: Ask, rng: random.Random, count: int) -> list[dict[str, str]]:
    """Two working weeks that ended some day, or everything until today."""
    days = [day for (day,) in ask("SELECT DISTINCT study_date FROM studies_study ORDER BY 1", ())]
    found = []
    for _ in range(count):
        last = rng.randrange(len(days) - 1, 12, -1) if len(days) > 14 else len(days) - 1
        first = days[max(0, last - 13)] if rng.random() < 0.7 else days[0]
        modality = rng.choice(("CT", "DX", "US"))
        found.append({"StudyDate": f"{first}-{days[last]}", "ModalitiesInStudy": modality})
    return found


def accession_numbers(ask: Ask, rng: random.Random, count: int) -> list[dict[str, str]]:
    here = "accession_number <> '' AND site_id = (SELECT id FROM accounts_site WHERE code = 'MAIN')"
    keys = _ids("studies_study", ask, rng, count, here)
    rows = ask("SELECT accession_number FROM studies_study WHERE id = ANY(%s)", (keys,))
    return [{"AccessionNumber": value} for (value,) in rows]


def name_wildcards(ask: Ask, rng: random.Random, count: int) -> list[dict[str, str]]:
    """A wild card inside, or at both ends, with one, two and three answers in turn."""
    by_answers: dict[int, list[dict[str, str]]] = {1: [], 2: [], 3: []}
    wanted = -(-count // 3)
    while min(map(len, by_answers.values())) < wanted:
        for family, given in _names(ask, rng, count):
            inner = f"{family[:3]}*{family[-2:]}^{given[:3]}*"
            pattern = inner if rng.random() < 0.5 else f"*{family[1:7]}*^{given[:2]}*"
            like = pattern.casefold().replace("*", "%")
            [(answers,)] = ask(
                "SELECT count(*) FROM studies_study s JOIN patients_patient p"
                " ON p.id = s.patient_id WHERE p.name_search LIKE %s",
                (like,),
            )
            if answers in by_answers and pattern.isascii():
                by_answers[answers].append({"PatientName": pattern})
    return [keys for turn in zip(*by_answers.values(), strict=False) for keys in turn][:count]


def stations_and_days(ask: Ask, rng: random.Random, count: int) -> list[dict[str, str]]:
    rows = ask(
        "SELECT DISTINCT scheduled_station_ae_title, to_char(start_date, 'YYYYMMDD')"
        " FROM scheduling_scheduledstep WHERE status = 'SCHEDULED' AND site_id ="
        " (SELECT id FROM accounts_site WHERE code = 'MAIN') ORDER BY 1, 2",
        (),
    )
    return [{"station": ae, "day": day} for ae, day in (rng.choice(rows) for _ in range(count))]


def no_keys(ask: Ask, rng: random.Random, count: int) -> list[dict[str, str]]:
    return [{} for _ in range(count)]


BY_NAME = ("patient_by_name", "patient_by_name_part")
EIGHT = (
    EightQuery("QIDO-RS by patient ID", "qido", ("patient_identifier_by_value",), patient_ids),
    EightQuery("QIDO-RS by name prefix", "qido", BY_NAME, name_prefixes),
    EightQuery(
        "QIDO-RS by date and modality, first page", "qido", ("study_by_date",), dates_and_modality
    ),
    EightQuery(
        "QIDO-RS by date and modality, page 50",
        "qido",
        ("study_by_date",),
        dates_and_modality,
        offset=PAGE_50,
    ),
    EightQuery("C-FIND by accession number", "find", ("study_by_accession",), accession_numbers),
    EightQuery("C-FIND by name with wild cards", "find", BY_NAME, name_wildcards),
    EightQuery(
        "Modality worklist by AE and day", "worklist", ("step_by_station",), stations_and_days
    ),
    EightQuery("Reading list", "reading", ("reading_open", "reading_open_by_site"), no_keys),
)


def find_identifier(keys: dict[str, str]) -> Dataset:
    """The identifier of a study-level C-FIND."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    for keyword in ("StudyInstanceUID", "StudyDate", "PatientID", "PatientName", "AccessionNumber",
                    "ModalitiesInStudy", "StudyDescription"):  # fmt: skip
        setattr(identifier, keyword, keys.get(keyword, ""))
    return identifier


def worklist_identifier(keys: dict[str, str]) -> Dataset:
    """The identifier of a scanner that asks for its day."""
    step = Dataset()
    step.ScheduledStationAETitle = keys["station"]
    step.ScheduledProcedureStepStartDate = keys["day"]
    step.ScheduledProcedureStepStartTime = ""
    step.Modality = ""
    identifier = Dataset()
    identifier.PatientName = ""
    identifier.PatientID = ""
    identifier.AccessionNumber = ""
    identifier.StudyInstanceUID = ""
    identifier.ScheduledProcedureStepSequence = [step]
    return identifier
