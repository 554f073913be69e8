"""Audited events of the demo hospital."""

from apps.audit.models import Action
from apps.audit.registry import register

SEEDED = register("demo.hospital.seeded", Action.CREATE, "Made the demo hospital")
SYNTHETIC_LOADED = register(
    "demo.synthetic.loaded", Action.CREATE, "Filled the index with synthetic exams"
)
