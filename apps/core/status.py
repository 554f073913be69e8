"""The icon and the words of every state, read once from `static/status.json`."""

import json
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings


@dataclass(frozen=True)
class StatusWords:
    """How one state is shown; `tone` is quiet, go, done, attn, crit or edit."""

    code: str
    icon: str
    words: str
    tone: str


@lru_cache(maxsize=1)
def status_table() -> dict[str, StatusWords]:
    """Every state by `<family>.<code in the standard>`, for example `report.final`.

    A state machine's own name leads to its family too (`appointment.booked`: `appt.booked`).
    """
    families = json.loads((settings.BASE_DIR / "static" / "status.json").read_text("utf-8"))
    return {
        f"{name}.{code}": StatusWords(f"{family}.{code}", **shown)
        for family, entry in families.items()
        for name in {family, entry.get("machine", family)}
        for code, shown in entry["states"].items()
    }


def status_words(code: str) -> StatusWords:
    """How a state is shown.

    Raises:
        LookupError: nobody gave this state an icon and words; a test keeps this from happening.
    """
    try:
        return status_table()[code]
    except KeyError:
        raise LookupError(f"static/status.json has no state {code!r}") from None
