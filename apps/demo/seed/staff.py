"""Writing the hospital itself: sites, rooms, catalogue, people, report texts to begin with."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password

from apps.accounts.domain import Verb
from apps.accounts.models import ApplicationEntity, Practice, Site, User
from apps.demo.seed.catalogue import CATALOGUE, Line
from apps.demo.seed.hospital import PRACTICES, ROOMS, SITES, STAFF, TIMEZONE, RoomLine
from apps.orders.models import Procedure
from apps.reports.models import ReportMacro, ReportTemplate
from apps.scheduling.models import OpeningHours, Room

MODALITY_VERBS = (Verb.ECHO, Verb.STORE, Verb.WORKLIST, Verb.MPPS, Verb.COMMIT)
WEEK = range(7)
OUTSIDE_CODE = "OUTSIDE"
MACROS = (
    ("nl", "Lungs normal", "Lungs clear. No nodule, no consolidation. No pleural effusion."),
    ("na", "Abdomen normal", ("Liver, spleen, pancreas, adrenals and kidneys normal. No free "
                             "fluid.")),
    ("nb", "Bones normal", "No fracture and no destructive bone lesion."),
    ("nc", "No change", "No change since the earlier exam."),
    ("tel", "Told by telephone", "The result was told to the referrer by telephone."),
)  # fmt: skip


@dataclass(frozen=True)
class Hospital:
    """What later rows point to, by the codes of `apps.demo.seed.hospital`."""

    sites: dict[str, Site]
    rooms: dict[tuple[str, str], Room]
    procedures: dict[str, Procedure]
    people: dict[str, User]


def write_hospital(password: str, at: dt.datetime) -> Hospital:
    """Write sites, rooms, catalogue, staff and demo accounts, inside the caller's transaction.

    Args:
        password: of the six demo accounts; the other staff cannot sign in.
        at: now.
    """
    sites = _sites()
    rooms = write_rooms(sites, ROOMS)
    return Hospital(sites, rooms, _procedures(), _people(sites, password, at))


def _sites() -> dict[str, Site]:
    found: dict[str, Site] = {}
    for line in SITES:
        site, _ = Site.objects.update_or_create(
            code=line.code,
            defaults={
                "name": line.name,
                "timezone": TIMEZONE,
                "issuer_of_patient_id": line.issuer,
                "issuer_of_accession_number": line.issuer,
            },
        )
        found[line.code] = site
    return found


def write_rooms(
    sites: dict[str, Site], lines: Sequence[RoomLine], first_position: int = 0
) -> dict[tuple[str, str], Room]:
    """Write rooms with their opening hours and scanners, and return them by site and code."""
    found: dict[tuple[str, str], Room] = {}
    hours: list[OpeningHours] = []
    for position, line in enumerate(lines, start=first_position):
        room = Room.objects.create(
            site=sites[line.site],
            code=line.code,
            name=line.name,
            modality=line.modality,
            scheduled_station_ae_title=line.ae_title,
            description=line.description,
            position=position,
        )
        found[line.site, line.code] = room
        for weekday in WEEK:
            opens, closes = line.opens, line.closes
            if line.always:
                opens, closes = "00:00", "23:55"
            elif weekday == 6 or (weekday == 5 and not line.saturday):
                continue
            hours.append(OpeningHours(room=room, weekday=weekday, opens=opens, closes=closes))
        ApplicationEntity.objects.update_or_create(
            ae_title=line.ae_title,
            defaults={
                "host": f"{line.ae_title.lower().replace('_', '-')}.example",
                "port": 104,
                "site": sites[line.site],
                "verbs": sorted(verb.value for verb in MODALITY_VERBS),
                "description": f"{line.name}, {line.description}",
            },
        )
    OpeningHours.objects.bulk_create(hours)
    return found


def _procedures() -> dict[str, Procedure]:
    made = Procedure.objects.bulk_create(
        [
            Procedure(
                code=line.code,
                coding_scheme="L",
                meaning=line.meaning,
                loinc=line.loinc,
                modality=line.modality,
                body_part=line.body_part,
                duration_minutes=line.minutes,
                preparation=line.preparation,
                needs_vetting=line.vetted,
            )
            for line in CATALOGUE
        ]
    )
    outside = Procedure.objects.create(
        code=OUTSIDE_CODE,
        coding_scheme="L",
        meaning="Outside images, for comparison",
        modality="OT",
        duration_minutes=5,
    )
    by_code = {procedure.code: procedure for procedure in [*made, outside]}
    ReportTemplate.objects.bulk_create(
        [
            ReportTemplate(
                name=line.meaning,
                procedure=by_code[line.code],
                modality=line.modality,
                body_part=line.body_part,
                sections=_template(line),
            )
            for line in CATALOGUE
        ]
    )
    ReportMacro.objects.bulk_create(
        ReportMacro(shortcut=shortcut, title=title, text=text) for shortcut, title, text in MACROS
    )
    return by_code


def _template(line: Line) -> list[dict[str, str]]:
    """Begin with what is normal: findings of the first outcome, the impression left to write."""
    return [
        {"key": "indication", "title": "Clinical information", "text": "{reason}"},
        {"key": "technique", "title": "Technique", "text": line.technique},
        {"key": "comparison", "title": "Comparison", "text": "{comparison}"},
        {"key": "findings", "title": "Findings", "text": line.outcomes[0].findings},
        {"key": "impression", "title": "Impression", "text": ""},
    ]


def _people(sites: dict[str, Site], password: str, at: dt.datetime) -> dict[str, User]:
    practices = {
        name: Practice.objects.get_or_create(name=name, defaults={"phone": phone})[0]
        for name, phone in PRACTICES
    }
    hashed = make_password(password)
    found: dict[str, User] = {}
    for number, line in enumerate(STAFF, start=1):
        user = User.objects.filter(username=line.username).first() or User(username=line.username)
        user.title, user.first_name, user.last_name = line.title, line.first, line.last
        user.roles = [line.role.value]
        user.password = hashed if line.demo else make_password(None)
        user.home_site = sites[line.sites[0]] if line.sites else None
        user.practice = practices.get(line.practice)
        user.provider_id = f"D{4000 + number}" if line.title else ""
        user.date_joined = at
        user.save()
        user.sites.set([sites[code] for code in line.sites])
        found[line.username] = user
    return found
