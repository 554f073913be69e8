"""Commands of the archive."""

from apps.archive.services.copying import copies_make
from apps.archive.services.counting import copies_count
from apps.archive.services.sweeping import orphans_sweep
from apps.archive.services.verifying import copies_verify

__all__ = ["copies_count", "copies_make", "copies_verify", "orphans_sweep"]
