"""What lies where, and what reading it again has found."""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.archive.models import Location, VerificationPass
from apps.archive.selectors import StorageState, storage_states
from apps.archive.services import copies_count
from apps.core.actors import system_actor
from apps.core.words import size_words, when


class Command(BaseCommand):
    help = (
        "Say of each storage what it holds, what was read again when, what was found damaged and"
        " repaired, and what could not be. Ends with an error where an object is lost."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the options."""
        parser.add_argument("--count", action="store_true", help="count the copies now")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the report."""
        if options["count"]:
            copies_count(now=True)
        lost: set[int] = set()
        for state in storage_states(actor=system_actor("report")):
            self.stdout.write("\n".join(_lines(state)) + "\n")
            lost |= state.lost
        if lost:
            message = f"Lost, with no good copy left anywhere: {len(lost)} of the objects above."
            raise CommandError(message)


def _lines(state: StorageState) -> Iterator[str]:
    yield f"{state.name}: {state.address} ({', '.join(state.parts)})"
    yield f"  {'answers' if state.answers else 'DOES NOT ANSWER'}, {_room(state)}"
    for status in Location.Status.values:
        if count := state.counts.get(status):
            yield (
                f"  {status}: {count.copies:,} copies of {count.objects_held:,} objects,"
                f" {size_words(count.bytes_held)}"
            )
    if not state.counts:
        yield "  no copies, or not counted yet (--count)"
    if good := state.good:
        yield f"  counted {when(good.counted_at)}"
        if good.oldest_read_at:
            yield f"  read longest ago: {when(good.oldest_read_at)}"
        if good.oldest_unread_at:
            yield (
                f"  never read again: {good.never_read:,}, the oldest stored"
                f" {when(good.oldest_unread_at)}"
            )
    if state.current:
        yield f"  under way since {when(state.current.started_at)}: {_pass(state.current)}"
    if state.last:
        yield f"  last finished {when(state.last.finished_at)}: {_pass(state.last)}"
    yield (
        f"  in {state.passes.number} passes: {state.passes.damaged} found damaged,"
        f" {state.passes.repaired} repaired"
    )
    yield f"  not repaired: {state.unrepaired_count}"
    for one in state.unrepaired:
        left = f"{one.elsewhere} good elsewhere" if one.elsewhere else "LOST"
        yield f"    {one.key} {one.problem}, {size_words(one.size_bytes)}, {left}"


def _room(state: StorageState) -> str:
    if state.free_bytes is None:
        return "does not tell how much is free"
    return f"{size_words(state.free_bytes)} free{'' if state.has_room else ', TAKES NOTHING NEW'}"


def _pass(one: VerificationPass) -> str:
    return (
        f"{one.copies:,} copies, {size_words(one.bytes_read)}, {one.damaged} damaged,"
        f" {one.repaired} repaired"
    )
