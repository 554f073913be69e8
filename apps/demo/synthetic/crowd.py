"""Who comes to the exams: new people and those who were here before, and their patient rows."""

import datetime as dt
import random
from array import array

from apps.demo.synthetic.days import Visit
from apps.demo.synthetic.hospital import Hospital
from apps.demo.synthetic.people import NUMBER_PREFIX, Person, person
from apps.demo.synthetic.tables import Table
from apps.patients.models import Patient, PatientIdentifier

NEW_PATIENTS = 0.35
"""Share of visits by somebody new: with those who are passed over as they do not fit the exam,
400,000 patients per 1,000,000 studies."""
TRIES = 12


class Crowd:
    """Everybody so far. `keys` holds the patients' primary keys by the person's number."""

    def __init__(self, seed: int, hospital: Hospital, at: dt.datetime) -> None:
        """Read who is there already."""
        self.seed, self.hospital, self.at = seed, hospital, at
        rows = PatientIdentifier.objects.filter(value__startswith=NUMBER_PREFIX, type_code="MR")
        self.keys = array("q", rows.order_by("value").values_list("patient", flat=True).iterator())
        self.next = len(self.keys)
        self.patients = Table(
            Patient, "id", "site", "confidentiality", "name_alphabetic", "name_search",
            "birth_date", "sex", "address", "created_at", "updated_at",
        )  # fmt: skip
        self.identifiers = Table(
            PatientIdentifier, "patient", "value", "issuer", "type_code", "primary"
        )

    def who(self, rng: random.Random, visit: Visit) -> Person:
        """Return who comes: somebody new, or one who was here before; some come often."""
        day = visit.wall.date()
        if rng.random() >= NEW_PATIENTS and self.next:
            for _ in range(TRIES):
                found = person(self.seed, int(self.next * rng.random() ** 1.3))
                if _fits(visit, found, day):
                    return found
        while True:
            found = person(self.seed, self.next)
            self.next += 1
            if visit.line.sex in {"", found.sex}:
                return found

    def register(self) -> None:
        """Make rows of those who are new."""
        first = len(self.keys)
        new = self.patients.keys(self.next - first)
        self.keys.extend(new)
        issuers = [site.issuer_of_patient_id for site in self.hospital.sites]
        for number, key in enumerate(new, start=first):
            one = person(self.seed, number)
            site = self.hospital.sites[one.site]
            self.patients.add(
                key, site.pk, one.confidentiality, one.name, one.search, one.born, one.sex,
                "Synthetic, lives nowhere", self.at, self.at,
            )  # fmt: skip
            self.identifiers.add(key, one.identifier, issuers[one.site], "MR", "t")


def _fits(visit: Visit, who: Person, day: dt.date) -> bool:
    youngest, oldest = visit.line.ages
    return visit.line.sex in {"", who.sex} and youngest - 10 <= who.age(day) <= oldest
