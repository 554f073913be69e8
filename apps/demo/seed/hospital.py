"""Sites, rooms, practices and staff of the demo hospital."""

from dataclasses import dataclass

from apps.accounts.domain import Role


@dataclass(frozen=True)
class SiteLine:
    """A site and the prefix of what it issues."""

    code: str
    name: str
    issuer: str


@dataclass(frozen=True)
class RoomLine:
    """A room: opening hours of weekdays; `always` is open day and night, every day."""

    site: str
    code: str
    name: str
    modality: str
    ae_title: str
    description: str
    opens: str = "08:00"
    closes: str = "18:00"
    saturday: bool = False
    always: bool = False


@dataclass(frozen=True)
class PersonLine:
    """Someone with an account; `username` of demo accounts is the role."""

    username: str
    title: str
    first: str
    last: str
    role: Role
    sites: tuple[str, ...] = ("MAIN",)
    practice: str = ""
    service: str = ""
    demo: bool = False


TIMEZONE = "Europe/London"
SITES = (
    SiteLine("MAIN", "Northmere General", "NMG"),
    SiteLine("RIVER", "Riverside Imaging Centre", "RIC"),
)
ROOMS = (
    RoomLine("MAIN", "CT1", "CT 1", "CT", "NMG_CT1", "Body, cardiac", saturday=True),
    RoomLine("MAIN", "CT2", "CT 2", "CT", "NMG_CT2", "ED first", always=True),
    RoomLine("MAIN", "MR1", "MR 1", "MR", "NMG_MR1", "1.5 T, wide bore", "07:30", "20:00"),
    RoomLine("MAIN", "MR2", "MR 2", "MR", "NMG_MR2", "3 T", "07:30", "18:00"),
    RoomLine("MAIN", "US1", "US 1", "US", "NMG_US1", "General"),
    RoomLine("MAIN", "US2", "US 2", "US", "NMG_US2", "Women, vascular"),
    RoomLine("MAIN", "XR1", "X-ray 1", "DX", "NMG_XR1", "Walk-in, ED", always=True),
    RoomLine("MAIN", "MG1", "Mammo", "MG", "NMG_MG1", "Screening", "08:00", "17:00"),
    RoomLine("RIVER", "CT1", "CT", "CT", "RIC_CT1", "64 rows"),
    RoomLine("RIVER", "MR1", "MR", "MR", "RIC_MR1", "1.5 T", "07:00", "21:00", saturday=True),
    RoomLine("RIVER", "US1", "Ultrasound", "US", "RIC_US1", "General"),
    RoomLine("RIVER", "XR1", "X-ray", "DX", "RIC_XR1", "Walk-in", saturday=True),
)
PRACTICES = (
    ("Alderbridge Health Centre", "020 7946 0112"),
    ("Saltwick Surgery", "020 7946 0157"),
    ("Northmere General, Emergency", "020 7946 0200"),
    ("Northmere General, Orthopaedics", "020 7946 0211"),
    ("Northmere General, Medicine", "020 7946 0225"),
    ("Breast Screening Service", "020 7946 0240"),
)
BOTH = ("MAIN", "RIVER")
STAFF = (
    PersonLine("scheduler", "", "Tessa", "Arden", Role.SCHEDULER, BOTH, demo=True),
    PersonLine("technologist", "", "Joaquim", "Pereira", Role.TECHNOLOGIST, BOTH, demo=True),
    PersonLine("radiologist", "Dr", "Ines", "Falk", Role.RADIOLOGIST, BOTH, demo=True),
    PersonLine(
        "referrer", "Dr", "Priya", "Sato", Role.REFERRER, (), "Alderbridge Health Centre",
        "General practice", demo=True,
    ),
    PersonLine("privacy", "", "Maud", "Ellery", Role.PRIVACY_OFFICER, BOTH, demo=True),
    PersonLine("admin", "", "Rosa", "Quill", Role.ADMINISTRATOR, BOTH, demo=True),
    PersonLine("o.lindqvist", "Dr", "Oskar", "Lindqvist", Role.RADIOLOGIST, BOTH),
    PersonLine("k.osei", "Dr", "Kwabena", "Osei", Role.RADIOLOGIST, BOTH),
    PersonLine("a.tran", "Dr", "Anh", "Tran", Role.RADIOLOGIST),
    PersonLine("m.reinholt", "Dr", "Marit", "Reinholt", Role.RADIOLOGIST, ("RIVER",)),
    PersonLine("d.okoro", "", "Daniel", "Okoro", Role.TECHNOLOGIST),
    PersonLine("s.hale", "", "Sally", "Hale", Role.SCHEDULER, ("RIVER",)),
    PersonLine(
        "b.raman", "Dr", "Bhavna", "Raman", Role.REFERRER, (), "Northmere General, Emergency", "ED"
    ),
    PersonLine(
        "t.gallagher", "Dr", "Tom", "Gallagher", Role.REFERRER, (), "Northmere General, Emergency",
        "ED",
    ),
    PersonLine(
        "h.castell", "Mr", "Hugo", "Castell", Role.REFERRER, (), "Northmere General, Orthopaedics",
        "Orthopaedics",
    ),
    PersonLine(
        "n.achebe", "Dr", "Nkechi", "Achebe", Role.REFERRER, (), "Northmere General, Medicine", "W7"
    ),
    PersonLine(
        "l.virtanen", "Dr", "Leena", "Virtanen", Role.REFERRER, (), "Northmere General, Medicine",
        "CCU",
    ),
    PersonLine(
        "c.moreau", "Dr", "Claire", "Moreau", Role.REFERRER, (), "Alderbridge Health Centre",
        "General practice",
    ),
    PersonLine(
        "j.blackwood", "Dr", "Jonah", "Blackwood", Role.REFERRER, (), "Saltwick Surgery",
        "General practice",
    ),
    PersonLine(
        "f.demir", "Dr", "Filiz", "Demir", Role.REFERRER, (), "Saltwick Surgery",
        "General practice",
    ),
    PersonLine(
        "e.whitlock", "Dr", "Eleanor", "Whitlock", Role.REFERRER, (), "Breast Screening Service",
        "Screening",
    ),
)  # fmt: skip
