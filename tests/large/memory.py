"""What a transfer adds to the memory of our processes, as the kernel counts it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.product import Product

OURS = ("web", "dimse", "worker", "mllp", "beat")
PEAK_OF_RSS = "5"  # proc(5), clear_refs: forget the highest resident set


@dataclass
class Added:
    """By process, the highest resident set while something was done, above that before; bytes."""

    by_process: dict[str, int] = field(default_factory=dict)

    @property
    def most(self) -> int:
        return max(self.by_process.values())

    def __str__(self) -> str:
        ordered = sorted(self.by_process.items(), key=lambda one: -one[1])
        return ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in ordered[:4])


@contextmanager
def added(made: Product) -> Iterator[Added]:
    """Measure what happens inside; the figures are there afterwards."""
    before = {}
    for name, pid in _processes(made):
        before[name] = (pid, _status(pid, "VmRSS"))
        Path(f"/proc/{pid}/clear_refs").write_text(PEAK_OF_RSS)
    result = Added()
    yield result
    for name, (pid, size) in before.items():
        if Path(f"/proc/{pid}").exists():  # a worker may have been replaced
            result.by_process[name] = max(_status(pid, "VmHWM") - size, 0)


def _processes(made: Product) -> Iterator[tuple[str, int]]:
    states = made.supervisor.states()
    for name in OURS:
        yield from _tree(name, states[name]["pid"])


def _tree(name: str, pid: int) -> Iterator[tuple[str, int]]:
    yield f"{name} {pid}", pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _tree(name, int(child))


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0  # it has ended
