"""What becomes of objects with defects, by who sent them."""

import time
from dataclasses import dataclass

from apps.core.actors import Actor
from apps.studies.domain import IntakeAction
from apps.studies.imaging.probe import decode_findings
from apps.studies.ingest.received import Received
from apps.studies.models import IntakeRule
from apps.studies.validation import Finding

EVERYONE = "*"
MEMORY_S = 2.0


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule that holds for a source."""

    action: IntakeAction = IntakeAction.ACCEPT
    probe_pixels: bool = False


DEFAULT = Rule()
_known: dict[str, tuple[float, Rule]] = {}


def rule_for(actor: Actor) -> Rule:
    """Return the rule for what an actor sends; a changed rule may take two seconds to hold."""
    known = _known.get(actor.key)
    if known and known[0] > time.monotonic():
        return known[1]
    rows = {row.source: row for row in IntakeRule.objects.filter(source__in=[actor.key, EVERYONE])}
    row = rows.get(actor.key) or rows.get(EVERYONE)
    rule = Rule(IntakeAction(row.action), row.probe_pixels) if row else DEFAULT
    if len(_known) > 1000:
        _known.clear()
    _known[actor.key] = (time.monotonic() + MEMORY_S, rule)
    return rule


def forget_rules() -> None:
    """Have this process read the rules anew."""
    _known.clear()


def findings_under(rule: Rule, received: Received) -> tuple[Finding, ...]:
    """Return what is wrong with an object, looking as deep as the rule asks."""
    if not rule.probe_pixels:
        return received.findings
    return (*received.findings, *decode_findings(received))
