"""The people of a synthetic hospital: each a pure function of the seed and a number."""

import datetime as dt
import random
from dataclasses import dataclass
from functools import lru_cache

from apps.demo.synthetic.names import FAMILIES, FAMILY_SHARES, GIVEN, GIVEN_SHARES
from apps.patients.domain import name_search

NUMBER_PREFIX = "SYN"
BORN_BEFORE = dt.date(2020, 1, 1)
SITE_SHARES = (0.52, 0.28, 0.20)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who does not exist.

    Attributes:
        number: counts from 0; the identifier is made of it.
        name: PN.
        search: the name as queries match it.
        site: index of the site that registered the person.
    """

    number: int
    name: str
    search: str
    born: dt.date
    sex: str
    site: int
    confidentiality: str

    @property
    def identifier(self) -> str:
        """The patient's number, marked as synthetic."""
        return f"{NUMBER_PREFIX}{self.number:08d}"

    def age(self, on: dt.date) -> int:
        """Return the age in years on a day."""
        passed = (on.month, on.day) >= (self.born.month, self.born.day)
        return on.year - self.born.year - (0 if passed else 1)


@lru_cache(maxsize=50_000)
def person(seed: int, number: int) -> Person:
    """Return the person of a number: names of natural frequency, ages as patients have them."""
    rng = random.Random((seed << 40) + number)
    sex = "F" if rng.random() < 0.53 else "M"
    family = rng.choices(FAMILIES, cum_weights=FAMILY_SHARES)[0]
    if rng.random() < 0.04:
        family = f"{family}-{rng.choices(FAMILIES, cum_weights=FAMILY_SHARES)[0]}"
    given = rng.choices(GIVEN[sex], cum_weights=GIVEN_SHARES[sex])[0]
    middle = ""
    if rng.random() < 0.3:
        middle = f"^{rng.choices(GIVEN[sex], cum_weights=GIVEN_SHARES[sex])[0]}"
    name = f"{family}^{given}{middle}"
    days = int(rng.triangular(0, 95 * 365, 60 * 365))
    draw = rng.random()
    return Person(
        number=number,
        name=name,
        search=name_search(name),
        born=BORN_BEFORE - dt.timedelta(days=days),
        sex=sex,
        site=rng.choices(range(len(SITE_SHARES)), weights=SITE_SHARES)[0],
        confidentiality="V" if draw < 0.003 else "R" if draw < 0.02 else "N",
    )
