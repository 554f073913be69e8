"""How much of a study has come, judged from what is known. Pure.

Evidence, strongest first: a person's word; the instances that performed steps (PS3.4 F.7.2) and
storage commitment requests (PS3.4 J.3) name; how many the images themselves say there are; gaps in
their numbers; that nothing came for a while.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from apps.studies.domain import Completeness

FEWEST_NUMBERS = 3
WIDEST_RANGE = 20_000
SHOWN_RANGES = 4


@dataclass(frozen=True, slots=True)
class Named:
    """What somebody named of the study.

    Attributes:
        who: `the scanner's step on CT_1`.
        named: how many instances.
        missing: how many of them are not here.
        whole: whether it names all of the exam: a step that ended does, a commitment may not.
    """

    who: str
    named: int
    missing: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """How many images there should be, as the images say, of how many that are here."""

    what: str
    expected: int
    here: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a study.

    Attributes:
        images: how many are here.
        quiet_s: how long nothing has come; None while it is too short to say anything.
        named: by each of those who named any.
        running: who is still at work on it, such as `the scanner's step on CT_1`.
        counted: what the images say.
        gaps: by series, the numbers that are not here.
        accepted: who called it complete as it is, since the last image came.
        late: images that came after it was called complete.
    """

    images: int
    quiet_s: int | None
    named: Sequence[Named] = ()
    running: str = ""
    counted: Sequence[Counted] = ()
    gaps: Mapping[str, str] = field(default_factory=dict)
    accepted: str = ""
    late: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state, and the evidence in words."""

    completeness: Completeness
    words: str


def judge(facts: Facts) -> Verdict:
    """Say how much of a study has come, and by what evidence."""
    verdict = _judged(facts)
    if facts.late and verdict.completeness is Completeness.COMPLETE:
        return Verdict(
            verdict.completeness, f"{verdict.words}; {facts.late:,} came after it was complete"
        )
    return verdict


def _judged(facts: Facts) -> Verdict:
    if facts.accepted:
        words = f"{facts.accepted} called it complete as it is, with {_images(facts.images)}"
        return Verdict(Completeness.COMPLETE, words)
    quiet = facts.quiet_s is not None
    missing = max(facts.named, key=lambda one: one.missing, default=None)
    if missing is not None and missing.missing:
        words = f"waiting for {missing.missing:,} of {_images(missing.named)}: {missing.who} names "
        words += "it" if missing.missing == 1 else "them"
        return Verdict(Completeness.PARTIAL if quiet else Completeness.RECEIVING, words)
    if facts.running:
        words = f"{facts.running} has not ended; {_images(facts.images)} so far"
        return Verdict(Completeness.RECEIVING, words)
    whole = max((n for n in facts.named if n.whole), key=lambda one: one.named, default=None)
    if whole is not None:
        return Verdict(Completeness.COMPLETE, f"all {_images(whole.named)} that {whole.who} names")
    if not quiet:
        return Verdict(Completeness.RECEIVING, f"{_images(facts.images)} so far")
    return _weakly(facts)


def _weakly(facts: Facts) -> Verdict:
    """Judge where nobody who knows has spoken for all of it, and nothing comes any more."""
    named = max(facts.named, key=lambda one: one.named, default=None)
    if named is not None and named.named >= facts.images:
        return Verdict(Completeness.COMPLETE, f"all {_images(named.named)} that {named.who} names")
    for counted in facts.counted:
        if counted.here < counted.expected:
            waits = counted.expected - counted.here
            words = f"waiting for {waits:,} of {_images(counted.expected)}: {counted.what} says so"
            return Verdict(Completeness.PARTIAL, words)
    for series, numbers in facts.gaps.items():
        return Verdict(Completeness.PARTIAL, f"{series} has no image {numbers}")
    words = f"{_images(facts.images)}, none new for {facts.quiet_s} s, no gap in their numbers"
    return Verdict(Completeness.COMPLETE, words)


def gaps(numbers: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """Return, by series, which Instance Numbers are missing in the middle, in words.

    Only what can hardly be meant: numbers that are used once each, at even distances otherwise,
    more here than missing, and missing in every series, since scanners number on from one series
    to the next. What lacks at the end cannot be seen.
    """
    everywhere = Counter(number for series in numbers.values() for number in set(series))
    found = {}
    for name, series in numbers.items():
        here = sorted(set(series))
        if len(here) < FEWEST_NUMBERS or len(here) != len(series):
            continue
        step = min(b - a for a, b in pairwise(here))
        if (here[-1] - here[0]) // step > WIDEST_RANGE or any((n - here[0]) % step for n in here):
            continue
        missing = [n for n in range(here[0], here[-1], step) if n not in everywhere]
        if missing and len(missing) <= len(here):
            found[name] = _ranges(missing, step)
    return found


def _ranges(numbers: Sequence[int], step: int) -> str:
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number - ranges[-1][1] == step:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    words = [str(a) if a == b else f"{a} to {b}" for a, b in ranges[:SHOWN_RANGES]]
    return ", ".join(words) + (" and more" if len(ranges) > SHOWN_RANGES else "")


def _images(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"
