"""Every address of the product against the table of who may open what (DESIGN section 9)."""

import pytest

from tests.access.asking import TABLE, Asker, Line, agrees, faceless, lines, routes
from tests.access.asks import ASKS

pytestmark = pytest.mark.django_db
LINES = lines()
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
BEFORE_THE_OBJECT = ("401", "403", "login")  # said before anybody looks at what is named
KEPT_BY_ALLAUTH = {  # its class-based views take PUT for POST, as Django's form views do
    "account_login", "account_logout", "account_reauthenticate", "account_change_password",
    "account_inactive",
}  # fmt: skip


def test_every_route_has_a_line() -> None:
    """A new address is closed to nobody by chance: whoever adds it says who may open it."""
    listed = {line.route for line in LINES}
    missing = [route for route in routes() if route.name not in listed]
    assert not missing, "\n".join(
        f"{route.name} (/{route.address}) is not in the access matrix: add a line for each of its "
        f"methods to tests/access/{TABLE.name}, and how it is asked to tests/access/asks.py"
        for route in missing
    )


def test_every_choice_of_a_path_has_a_line() -> None:
    """Where a path takes one of a few words, each word is an address of its own."""
    said = {(line.route, key, value) for line in LINES for key, value in line.said.items()}
    missing = [
        f"{route.name} {key}={value}"
        for route in routes()
        for key, values in route.choices.items()
        for value in values
        if (route.name, key, value) not in said
    ]
    assert not missing, f"add to tests/access/{TABLE.name}: {missing}"


def test_every_line_is_of_a_route_and_can_be_asked() -> None:
    known = {route.name for route in routes()}
    gone = [str(line) for line in LINES if line.route not in known]
    assert not gone, f"no such address any more; take out of tests/access/{TABLE.name}: {gone}"
    unasked = [str(line) for line in LINES if not {str(line), line.title} & ASKS.keys()]
    assert not unasked, f"add to tests/access/asks.py how these are asked: {unasked}"
    wanted = {str(line) for line in LINES} | {line.title for line in LINES}
    idle = [key for key in ASKS if key not in wanted]
    assert not idle, f"no line asks these; take out of tests/access/asks.py: {idle}"


@pytest.mark.parametrize("line", LINES, ids=str)
def test_access(asker: Asker, line: Line) -> None:
    """Who gets what, for the own object and the other site's; what is hidden is like absent."""
    wrong: list[str] = []
    compared = False
    own, other = (asker.how(line, place) for place in (asker.world.own, asker.world.other))
    cells = {"nobody": "open"} if line.cells["nobody"] == "open" else line.cells
    for who, cell in cells.items():
        first, _, second = cell.partition("/")
        expected = {"own": first}
        if not own.same and first not in BEFORE_THE_OBJECT:
            expected["other"] = second or first
        for whose, value in expected.items():
            ask = own if whose == "own" else other
            answer = asker.ask(who, line, ask)
            if not agrees(value, answer):
                wrong.append(f"{who}, {whose}: {answer.word} instead of {value}")
            elif value == "404" and ask.path and not compared:
                compared = True
                absent = asker.ask(who, line, ask.absent())
                if (absent.status, faceless(absent.body)) != (404, faceless(answer.body)):
                    wrong.append(f"{who}, {whose}: what is hidden differs from what is absent")
    assert not wrong, f"{line}\n" + "\n".join(wrong)


def test_a_method_without_a_line_is_refused(asker: Asker) -> None:
    """405 to the one who may do everything, and nothing is done."""
    wrong = []
    for name in sorted({line.route for line in LINES} - KEPT_BY_ALLAUTH):
        own = [line for line in LINES if line.route == name]
        ask = asker.how(own[0], asker.world.own)
        closed = all(set(line.cells.values()) == {"404"} for line in own)
        for method in sorted(set(METHODS) - {line.method for line in own}):
            status = asker.ask("admin", own[0], ask, method).status
            if status != (404 if closed else 405):
                wrong.append(f"{method} {name}: {status}; add a line, or refuse it with 405")
    assert not wrong, "\n".join(wrong)
