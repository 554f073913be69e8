"""The sites, rooms and staff that synthetic exams belong to, each marked as synthetic."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.contrib.auth.hashers import make_password

from apps.accounts.domain import Role
from apps.accounts.models import MAIN_SITE, Practice, Site, User
from apps.core import clock
from apps.demo.seed.catalogue import CATALOGUE, Line
from apps.demo.seed.hospital import RoomLine
from apps.demo.seed.staff import write_rooms
from apps.orders.models import Procedure
from apps.reports.selectors import signer_name
from apps.scheduling.models import Room

SITES = (MAIN_SITE, "SYNB", "SYNC")
READERS = 12
PRACTICES = 40
REFERRERS = 200
LONG = ("07:30", "20:00")
DAY = ("08:00", "18:00")


def _rooms(
    site: str, modality: str, count: int, hours: tuple[str, str] = DAY, first: int = 1,
    *, saturday: bool = False, always: bool = False,
) -> list[RoomLine]:  # fmt: skip
    letter = "A" if site == MAIN_SITE else site[-1]
    return [
        RoomLine(
            site, f"SYN-{modality}{n}", f"Synthetic {modality} {n}", modality,
            f"SYN_{letter}_{modality}{n}", "synthetic exams", *hours, saturday, always,
        )
        for n in range(first, first + count)
    ]  # fmt: skip


ROOMS: tuple[RoomLine, ...] = (
    *_rooms("MAIN", "CT", 3, saturday=True),
    *_rooms("MAIN", "CT", 1, first=4, always=True),
    *_rooms("MAIN", "MR", 4, LONG, saturday=True),
    *_rooms("MAIN", "US", 5),
    *_rooms("MAIN", "DX", 2),
    *_rooms("MAIN", "DX", 2, first=3, always=True),
    *_rooms("MAIN", "MG", 2),
    *_rooms("SYNB", "CT", 1),
    *_rooms("SYNB", "CT", 1, first=2, always=True),
    *_rooms("SYNB", "MR", 2, LONG),
    *_rooms("SYNB", "US", 3),
    *_rooms("SYNB", "DX", 1, saturday=True),
    *_rooms("SYNB", "DX", 1, first=2, always=True),
    *_rooms("SYNB", "MG", 1),
    *_rooms("SYNC", "CT", 2),
    *_rooms("SYNC", "MR", 1, LONG),
    *_rooms("SYNC", "US", 2),
    *_rooms("SYNC", "DX", 2, saturday=True),
    *_rooms("SYNC", "MG", 1),
)


@dataclass(frozen=True, slots=True)
class RoomRow:
    """A room as bulk rows need it."""

    line: RoomLine
    key: int
    site: int
    zone: ZoneInfo
    name: str


@dataclass(frozen=True, slots=True)
class Referrer:
    """Who asks for exams: the account, its name as PN, and whom a grant names."""

    key: int
    name: str
    grantees: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hospital:
    """What the bulk rows point to."""

    sites: tuple[Site, ...]
    rooms: tuple[RoomRow, ...]
    procedures: dict[str, int]
    readers: tuple[tuple[int, str], ...]
    referrers: tuple[Referrer, ...]


def write_hospital() -> Hospital:
    """Make what is missing of the synthetic sites, rooms, catalogue and staff; return it all.

    The staff's accounts cannot sign in.
    """
    sites = tuple(_site(code) for code in SITES)
    by_code = {site.code: site for site in sites}
    known = {(room.site.code, room.code): room for room in Room.objects.select_related("site")}
    missing = [line for line in ROOMS if (line.site, line.code) not in known]
    known |= write_rooms(by_code, missing, first_position=100)
    rows = [
        RoomRow(line, room.pk, SITES.index(line.site), ZoneInfo(room.site.timezone), room.name[:16])
        for line in ROOMS
        for room in [known[line.site, line.code]]
    ]
    return Hospital(sites, tuple(rows), _procedures(), _readers(sites), _referrers())


def _site(code: str) -> Site:
    site, _ = Site.objects.get_or_create(
        code=code,
        defaults={
            "name": f"Synthetic hospital {code[-1]}",
            "issuer_of_patient_id": f"SYNTHETIC-{code}",
            "issuer_of_accession_number": f"SYNTHETIC-{code}",
        },
    )
    return site


def _procedures() -> dict[str, int]:
    return {line.code: _procedure(line).pk for line in CATALOGUE}


def _procedure(line: Line) -> Procedure:
    procedure, _ = Procedure.objects.get_or_create(
        coding_scheme="L",
        code=line.code,
        defaults={
            "meaning": line.meaning,
            "loinc": line.loinc,
            "modality": line.modality,
            "body_part": line.body_part,
            "duration_minutes": line.minutes,
            "preparation": line.preparation,
            "needs_vetting": line.vetted,
        },
    )
    return procedure


def _user(username: str, last: str, role: Role, practice: Practice | None = None) -> User:
    user, _ = User.objects.get_or_create(
        username=username,
        defaults={
            "title": "Dr",
            "first_name": "Synthetic",
            "last_name": last,
            "roles": [role.value],
            "password": make_password(None),
            "practice": practice,
            "date_joined": clock.now(),
        },
    )
    return user


def _readers(sites: tuple[Site, ...]) -> tuple[tuple[int, str], ...]:
    found = []
    for n in range(READERS):
        user = _user(f"synthetic.reader{n}", f"Reader {n}", Role.RADIOLOGIST)
        user.sites.set(sites)
        found.append((user.pk, signer_name(user)))
    return tuple(found)


def _referrers() -> tuple[Referrer, ...]:
    practices = [
        Practice.objects.get_or_create(name=f"Synthetic practice {n}")[0] for n in range(PRACTICES)
    ]
    found = []
    for n in range(REFERRERS):
        practice = practices[n % PRACTICES]
        user = _user(f"synthetic.referrer{n}", f"Referrer {n}", Role.REFERRER, practice)
        grantees = (f"user:{user.pk}", f"practice:{practice.pk}")
        found.append(Referrer(user.pk, f"Referrer {n}^Synthetic^^Dr", grantees))
    return tuple(found)
