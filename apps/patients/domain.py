"""Names and identifiers of people, as plain values."""

import datetime
import unicodedata
from dataclasses import dataclass

NAME_COMPONENTS = ("family", "given", "middle", "prefix", "suffix")
NOT_A_PERSONS_NUMBER = frozenset({"AN", "VN"})
"""Types of table 0203 that number an account or a visit, and so never join two persons."""


def fold(text: str) -> str:
    """Return the form in which names are compared: no accents, no case, one kind of blank.

    Source: PS3.4 C.2.2.2.1.3, matching of PN without regard to case and accents.
    """
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(unicodedata.normalize("NFC", plain).casefold().split())


def name_search(alphabetic: str, ideographic: str = "", phonetic: str = "") -> str:
    """Return the folded name that queries match: its groups joined by '=' as PN joins them."""
    return "=".join(fold(group) for group in (alphabetic, ideographic, phonetic)).rstrip("=")


def split_groups(name: str) -> tuple[str, str, str]:
    """Split a PN into its alphabetic, ideographic and phonetic group (PS3.5 6.2.1.2)."""
    alphabetic, ideographic, phonetic, *_ = [*name.split("="), "", ""]
    return alphabetic, ideographic, phonetic


def spoken_name(name: str) -> str:
    """Return 'Family, Given Middle' of one PN group."""
    family, _, rest = name.partition("^")
    given = " ".join(part for part in rest.split("^")[:2] if part)
    return f"{family}, {given}" if given else family


@dataclass(frozen=True, slots=True)
class QualifiedId:
    """An identifier with who issued it: never a bare number."""

    value: str
    issuer: str
    type_code: str = ""


@dataclass(frozen=True, slots=True)
class Demographics:
    """What is known of a person. None is 'not said, leave it'; '' is 'delete it'.

    Attributes:
        name: PN with up to three groups joined by '='.
        birth_date: a date; `birth_date_deleted` says that the known one is wrong.
        sex: M, F, O or '' (PS3.3 C.2-3).
    """

    name: str | None = None
    birth_date: datetime.date | None = None
    birth_date_deleted: bool = False
    sex: str | None = None
    phone: str | None = None
    address: str | None = None
