"""The chain of one exam as the pages show it: a line of links, each done or not."""

from dataclasses import dataclass
from typing import Literal

LinkState = Literal["done", "now", "late", "broken", "todo"]


@dataclass(frozen=True)
class ChainLink:
    """One link: a title (Order, Scan, Images), its state, a detail under it, and where to mend it.

    A link that an exam does not need is left out, not greyed.
    """

    title: str
    state: LinkState = "todo"
    detail: str = ""
    mend_url: str = ""

    @property
    def state_words(self) -> str:
        """The state for those who cannot see the drawing."""
        return {
            "done": "done",
            "now": "under way",
            "late": "late",
            "broken": "broken",
            "todo": "not yet",
        }[self.state]
