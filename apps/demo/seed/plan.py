"""What happens in the demo hospital and when: pure planning, no database.

The plan is made for a moment; everything that ended before it happened, today is under way, and the
coming weeks are booked. One random seed, so that the same moment gives the same hospital.
"""

import datetime as dt
import random
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from apps.demo.seed.catalogue import BY_CODE, CATALOGUE, Finding, Line
from apps.demo.seed.hospital import ROOMS, STAFF, TIMEZONE, PersonLine, RoomLine
from apps.demo.seed.names import WRITTEN, address, person

ZONE = ZoneInfo(TIMEZONE)
MINUTE = dt.timedelta(minutes=1)
STORY = len(WRITTEN)
"""The patient whose nodule has grown: always on today's list, with a prior."""
SLOT = 5

PHANTOMS: dict[str, tuple[str, tuple[dict[str, float], ...]]] = {
    "CTCHEST": ("ct_chest", ({}, {"nodule_mm": 6.2}, {})),
    "CTABDPEL": ("ct_abdomen", ({}, {"liver_cyst_mm": 28, "kidney_stone_mm": 5}, {})),
    "CTHEAD": ("ct_head", ({"ventricles": 0.9}, {"ventricles": 1.45}, {"bleed_mm": 28})),
    "MRBRAIN": ("mr_brain", ({}, {"plaques": 9}, {"plaques": 2})),
    "MRLSPINE": ("mr_spine", ({}, {"herniation_mm": 6.5}, {})),
    "XRCHEST": ("xr_chest", ({}, {"consolidation": 1.0}, {"heart": 1.2, "effusion_mm": 16})),
    "XRHAND": ("xr_hand", ({}, {"fracture": 1})),
    "XRKNEE": ("xr_knee", ({}, {"narrow": 0.35})),
    "USABDO": ("us_abdomen", ({}, {"stone_mm": 9}, {"cyst_mm": 22})),
    "USECHO": ("us_heart", ({}, {})),
    "MGSCREEN": ("mg", ({}, {"calcium": 1}, {"mass_mm": 14, "calcium": 1})),
    "MGDIAG": ("mg", ({}, {"mass_mm": 16})),
}
"""Which phantom shows a procedure, and the finding that goes with each outcome of its line."""

CANCEL_REASONS = (
    "Patient unwell, asks for another day", "No transport", "Referrer: no longer needed",
    "Renal function missing", "Patient abroad",
)  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """How large the hospital is: the tests make a small one."""

    patients: int = 420
    days_past: int = 182
    days_coming: int = 28
    today: int = 84
    past_day: int = 15
    images: int = 42
    priors: int = 14


@dataclass
class PlannedPatient:
    """A person to be registered."""

    number: int
    name: str
    sex: str
    birth_date: dt.date
    home: str
    phone: str
    exams: int = 0

    def age(self, on: dt.date) -> int:
        """Return the age in years on a day."""
        passed = (on.month, on.day) >= (self.birth_date.month, self.birth_date.day)
        return on.year - self.birth_date.year - (0 if passed else 1)


@dataclass
class PlannedExam:
    """An exam with its whole story. `state` is what became of the appointment."""

    line: Line
    patient: PlannedPatient
    room: RoomLine
    start: dt.datetime
    minutes: int
    state: str
    referrer: PersonLine
    emergency: bool
    priority: str
    reason: str
    outcome: int
    laterality: str
    ordered_at: dt.datetime
    cancel_reason: str = ""
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    imaged: bool = False
    fine: bool = False
    prior_of: "PlannedExam | None" = None
    reading: str = "done"
    reader: str = ""
    finding: dict[str, float] = field(default_factory=dict)
    person: int = 0

    @property
    def end(self) -> dt.datetime:
        """End of the slot."""
        return self.start + self.minutes * MINUTE

    @property
    def text(self) -> Finding:
        """What is found."""
        return self.line.outcomes[self.outcome]


@dataclass
class Plan:
    """Everything that is to be written."""

    at: dt.datetime
    patients: list[PlannedPatient]
    exams: list[PlannedExam]
    waiting: list[PlannedExam]


def make_plan(at: dt.datetime, scale: Scale, seed: int = 2026) -> Plan:
    """Plan the hospital as it stands at a moment."""
    rng = random.Random(seed)
    patients = [_patient(rng, n, at.date()) for n in range(scale.patients)]
    exams = _calendar(rng, at, scale, patients)
    _choose_images(rng, at, exams, patients, scale)
    waiting = [_order_only(rng, at, patients) for _ in range(max(4, scale.patients // 20))]
    return Plan(at, patients, exams, waiting)


def _patient(rng: random.Random, number: int, today: dt.date) -> PlannedPatient:
    if number < len(WRITTEN):
        name, sex = WRITTEN[number]
    else:
        sex = "F" if rng.random() < 0.54 else "M"
        name = person(rng, sex)
    years = min(98, max(3, int(rng.triangular(4, 97, 63))))
    born = today - dt.timedelta(days=years * 365 + rng.randrange(365))
    if number == STORY:
        name, sex, born = "Okonkwo^Adaeze", "F", dt.date(today.year - 59, 11, 4)
    return PlannedPatient(
        number, name, sex, born, address(rng), f"020 7946 {rng.randrange(1000, 9999)}"
    )


def _day_load(rng: random.Random, offset: int, day: dt.date, scale: Scale) -> int:
    """How many exams a day holds: the past in outline, this week full, the far weeks filling."""
    weekend = day.weekday() >= 5
    if offset == 0:
        return scale.today // (4 if weekend else 1)
    if offset < 0:
        near = scale.today if offset >= -1 else scale.today // 2 if offset >= -7 else 0
        load = max(scale.past_day, near)
    else:
        load = int(scale.today * max(0.12, 0.92 - 0.04 * offset))
    load = load // 5 if weekend else load
    return max(0, int(load * rng.uniform(0.85, 1.1)))


def open_minutes(room: RoomLine, day: dt.date) -> tuple[int, int] | None:
    """Return the opening and closing minute of a room on a day; None where it is closed."""
    if room.always:
        return 0, 24 * 60 - SLOT
    if day.weekday() == 6 or (day.weekday() == 5 and not room.saturday):
        return None
    (h1, m1), (h2, m2) = (map(int, t.split(":")) for t in (room.opens, room.closes))
    return h1 * 60 + m1, h2 * 60 + m2


def _calendar(
    rng: random.Random, at: dt.datetime, scale: Scale, patients: list[PlannedPatient]
) -> list[PlannedExam]:
    today = at.astimezone(ZONE).date()
    exams: list[PlannedExam] = []
    for offset in range(-scale.days_past, scale.days_coming + 1):
        day = today + dt.timedelta(days=offset)
        rooms = [room for room in ROOMS if open_minutes(room, day)]
        load = _day_load(rng, offset, day, scale)
        share = [0] * len(rooms)
        for k in range(load):
            weight = [3.0 if r.site == "MAIN" else 1.0 for r in rooms]
            share[rng.choices(range(len(rooms)), weights=weight)[0] if k else 0] += 1
        for room, count in zip(rooms, share, strict=True):
            exams += _room_day(rng, at, day, room, count, patients)
    return exams


def _room_day(
    rng: random.Random, at: dt.datetime, day: dt.date, room: RoomLine, count: int,
    patients: list[PlannedPatient],
) -> list[PlannedExam]:  # fmt: skip
    """Fill one room's day with exams one after the other, gaps between them."""
    hours = open_minutes(room, day)
    if hours is None or count == 0:
        return []
    midnight = dt.datetime.combine(day, dt.time(), ZONE)
    recent = dt.timedelta(0) <= at - midnight < dt.timedelta(days=4)
    lines = [line for line in CATALOGUE if line.modality == room.modality]
    if recent:
        lines = [line for line in lines if line.code in PHANTOMS]
    weights = [line.often * (1 + 3 * line.emergency * room.always) for line in lines]
    chosen = rng.choices(lines, weights=weights, k=count)
    free = hours[1] - hours[0] - sum(line.minutes for line in chosen)
    while free < 0:
        free += chosen.pop().minutes
    cuts = sorted(rng.randint(0, free // SLOT) * SLOT for _ in chosen)
    exams, minute, before = [], hours[0], 0
    for line, cut in zip(chosen, cuts, strict=True):
        minute += cut - before
        before = cut
        start = (midnight + minute * MINUTE).astimezone(dt.UTC)
        if start.astimezone(ZONE).hour * 60 + start.astimezone(ZONE).minute == minute:
            exams.append(_exam(rng, at, line, room, start, patients))
        minute += line.minutes
    return exams


def _who(
    rng: random.Random, line: Line, day: dt.date, patients: list[PlannedPatient]
) -> PlannedPatient:
    for _ in range(60):
        # Some people come often, most seldom.
        index = min(len(patients) - 1, int(len(patients) * rng.random() ** 1.35))
        found = patients[index]
        if line.sex and found.sex != line.sex:
            continue
        if line.ages[0] <= found.age(day) <= line.ages[1]:
            return found
    fitting = [p for p in patients if not line.sex or p.sex == line.sex]
    return rng.choice(fitting)


def _referrer(rng: random.Random, line: Line, *, emergency: bool) -> PersonLine:
    people = [p for p in STAFF if p.role.value == "referrer"]
    if line.code == "MGSCREEN":
        return next(p for p in people if p.service == "Screening")
    if emergency:
        return rng.choice([p for p in people if p.service == "ED"])
    if line.body_part in {"KNEE", "SHOULDER", "HAND", "WRIST", "ANKLE", "PELVIS"}:
        ortho = [p for p in people if p.service in {"Orthopaedics", "General practice"}]
        return rng.choice(ortho)
    return rng.choice([p for p in people if p.service not in {"ED", "Screening"}])


def _exam(
    rng: random.Random, at: dt.datetime, line: Line, room: RoomLine, start: dt.datetime,
    patients: list[PlannedPatient],
) -> PlannedExam:  # fmt: skip
    emergency = room.site == "MAIN" and rng.random() < line.emergency * (
        1.6 if room.always else 0.3
    )
    night = not 7 <= start.astimezone(ZONE).hour < 20
    emergency = emergency or (room.always and night)
    who = _who(rng, line, start.date(), patients)
    who.exams += 1
    priority = "routine"
    if emergency:
        priority = "stat" if rng.random() < 0.25 else "urgent"
    elif rng.random() < 0.12:
        priority = "urgent"
    lead = rng.randint(20, 75) * MINUTE if emergency else dt.timedelta(
        days=rng.randint(2, 26), minutes=rng.randint(0, 500)
    )  # fmt: skip
    ordered = start - lead
    if ordered > at:
        ordered = at - rng.randint(60, 60 * 24 * 5) * MINUTE
    exam = PlannedExam(
        line=line, patient=who, room=room, start=start, minutes=line.minutes, state="booked",
        referrer=_referrer(rng, line, emergency=emergency), emergency=emergency, priority=priority,
        reason=rng.choice(line.reasons),
        outcome=rng.choices(range(len(line.outcomes)), [o.weight for o in line.outcomes])[0],
        laterality=rng.choice("LR") if line.sided else "", ordered_at=ordered,
    )  # fmt: skip
    exam.person = who.number * 2 + (1 if exam.laterality == "R" else 0)
    _happen(rng, at, exam)
    return exam


def _happen(rng: random.Random, at: dt.datetime, exam: PlannedExam) -> None:
    """Say what has become of the appointment by now."""
    roll = rng.random()
    late = rng.randint(0, 9) * MINUTE
    begun = exam.start + late
    ended = begun + max(4, int(exam.minutes * rng.uniform(0.6, 0.9))) * MINUTE
    if ended < at:
        if roll < 0.045 and not exam.emergency:
            exam.state = "noshow"
        elif roll < 0.085 and not exam.emergency:
            exam.state, exam.cancel_reason = "cancelled", rng.choice(CANCEL_REASONS)
        elif roll < 0.093:
            exam.state, exam.started_at, exam.ended_at = "stopped", begun, ended
        else:
            exam.state, exam.started_at, exam.ended_at = "fulfilled", begun, ended
    elif begun <= at:
        exam.state, exam.started_at = "started", begun
    elif exam.start - at < 45 * MINUTE:
        exam.state = "checked-in" if roll < 0.3 else "arrived" if roll < 0.75 else "booked"
    elif roll < 0.03:
        exam.state, exam.cancel_reason = "cancelled", rng.choice(CANCEL_REASONS)


def _story(unread: list[PlannedExam], patients: list[PlannedPatient]) -> None:
    """Make one of the unread CTs the follow-up of a nodule, of a patient who is always the same."""
    scans = [e for e in unread if e.line.modality == "CT"]
    if not scans or len(patients) <= STORY:
        return
    exam = scans[-1]
    exam.line, exam.patient, exam.outcome = BY_CODE["CTCHEST"], patients[STORY], 1
    exam.person, exam.laterality, exam.priority = STORY * 2, "", "urgent"


def _choose_images(
    rng: random.Random, at: dt.datetime, exams: list[PlannedExam],
    patients: list[PlannedPatient], scale: Scale,
) -> None:  # fmt: skip
    """Give the latest exams images, keep some unread, and give those a prior of the same kind."""
    done = [e for e in exams if e.state == "fulfilled"]
    latest = [e for e in done if e.line.code in PHANTOMS]
    latest.sort(key=lambda e: e.ended_at or e.start, reverse=True)
    today = sum(1 for e in latest if (e.ended_at or e.start) > at - dt.timedelta(hours=16))
    shown = latest[: max(scale.images, min(today, 2 * scale.images))]
    unread = max(1, int(scale.images * 0.58))
    _story(shown[:unread], patients)
    for k, exam in enumerate(shown):
        exam.imaged = True
        exam.finding = dict(PHANTOMS[exam.line.code][1][exam.outcome])
        exam.reading = "unread" if k < unread else "done"
    readers = [p.username for p in STAFF if p.role.value == "radiologist"]
    for exam, state in zip(
        shown[unread : unread + 4], ("preliminary",) * 3 + ("draft",), strict=False
    ):
        exam.reading = state
    for exam in shown[3:unread:7]:
        exam.reading = "claimed"
    for exam in done:
        at_site = [
            p.username for p in STAFF if p.role.value == "radiologist" and exam.room.site in p.sites
        ]
        exam.reader = rng.choice(at_site or readers)
    if shown:
        oldest = shown[-1].ended_at or shown[-1].start
        _choose_priors(rng, [e for e in shown if e.reading == "unread"], [
            e for e in done if (e.ended_at or e.start) < oldest - dt.timedelta(days=20)
        ], scale.priors)  # fmt: skip


def _choose_priors(
    rng: random.Random, unread: list[PlannedExam], past: list[PlannedExam], count: int
) -> None:
    """Hand some past exams to the patients of today's, so that there is something to compare."""
    order = {"CT": 0, "MR": 1, "MG": 1, "DX": 2, "US": 2}
    ranked = sorted(unread, key=lambda e: (order[e.line.modality], e.start))
    for exam in ranked[:count]:
        same = [p for p in past if p.line is exam.line and not p.imaged]
        if not same:
            continue
        prior = rng.choice(same)
        prior.patient, prior.person, prior.laterality = exam.patient, exam.person, exam.laterality
        prior.imaged, prior.prior_of = True, exam
        prior.outcome = 1 if exam.line.code == "CTCHEST" else 0
        prior.finding = dict(PHANTOMS[exam.line.code][1][prior.outcome])
        if exam.line.code == "CTCHEST":
            exam.finding = {"nodule_mm": 8.1}
            exam.fine = prior.fine = True
            exam.reason = "Follow-up of a lung nodule of 6 mm in the left upper lobe."


def _order_only(rng: random.Random, at: dt.datetime, patients: list[PlannedPatient]) -> PlannedExam:
    """An order that nobody has booked yet."""
    line = rng.choices(CATALOGUE, weights=[c.often for c in CATALOGUE])[0]
    rooms = [room for room in ROOMS if room.modality == line.modality]
    exam = _exam(rng, at, line, rng.choice(rooms), at + dt.timedelta(days=7), patients)
    exam.state = "to-book"
    exam.ordered_at = at - rng.randint(30, 60 * 24 * 6) * MINUTE
    return exam
