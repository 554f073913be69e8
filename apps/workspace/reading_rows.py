"""A line of the reading list as its row and its preview show it."""

import datetime
from dataclasses import dataclass

from apps.core.actors import Actor
from apps.core.words import age
from apps.patients.models import Patient
from apps.patients.selectors import current
from apps.studies.models import Study
from apps.worklists.models import ReadingItem
from apps.worklists.reading.selectors import claim_holds

SEX = {"F": "F", "M": "M", "O": "X"}


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """What one row shows."""

    item: ReadingItem
    mine: bool
    held: bool

    @property
    def patient(self) -> Patient:
        """Whose identity counts."""
        return current(self.item.patient)

    @property
    def age_sex(self) -> str:
        """`58 F`, `2 d F`: years go without their unit."""
        years = age(self.patient.birth_date).removesuffix(" y")
        return " ".join(p for p in (years, SEX.get(self.patient.sex, "")) if p)

    @property
    def exam(self) -> str:
        """The exam's name without the modality, which stands before it."""
        return exam_title(self.item.modality, self.item.description)

    @property
    def reason(self) -> str:
        """Why it was asked for."""
        exam = self.item.requested_procedure
        return exam.order.reason if exam else ""

    @property
    def accession_number(self) -> str:
        """Of its order; empty where there is none."""
        exam = self.item.requested_procedure
        return exam.order.accession_number if exam else ""

    @property
    def images(self) -> int:
        """Instances of its studies."""
        return int(getattr(self.item, "images", 0))

    @property
    def priors(self) -> int:
        """Other studies of the person."""
        return int(getattr(self.item, "priors", 0))

    @property
    def completeness(self) -> str:
        """The worst of its studies; empty where all came, or none did."""
        worst = getattr(self.item, "completeness", None)
        return "" if worst in {None, "COMPLETE"} else str(worst)

    @property
    def evidence(self) -> str:
        """By what that is known, in words; empty where all came, or none did."""
        return str(getattr(self.item, "evidence", None) or "") if self.completeness else ""

    @property
    def count_words(self) -> str:
        """The number of images as it stands in the row."""
        return f"{self.images:,}"

    @property
    def off(self) -> bool:
        """Whether another reader has it."""
        return self.held and not self.mine


def exam_title(modality: str, description: str) -> str:
    """Return `Chest` for CT and `CT chest`: the row names the modality already."""
    rest = description.removeprefix(f"{modality} ") if modality else description
    return rest[:1].upper() + rest[1:]


def reading_row(actor: Actor, item: ReadingItem, at: datetime.datetime) -> ReadingRow:
    """Return a line as its row shows it to the actor."""
    held = claim_holds(item, at)
    return ReadingRow(item, mine=held and item.claimed_by_id == actor.user_id, held=held)


def viewer_query(studies: list[Study]) -> str:
    """Return the studies for the viewer's address; empty where none can be shown."""
    ready = [s.study_instance_uid for s in studies if s.availability in {"ONLINE", "NEARLINE"}]
    return ",".join(ready)
