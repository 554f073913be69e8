"""What a log line may not hold."""

import structlog


def fail(patient: str) -> None:
    raise ValueError("no room")


def test_a_traceback_shows_no_value_of_a_variable(capsys):
    try:
        fail(patient="MARLOWE^JUNE")
    except ValueError:
        structlog.get_logger("test").exception("it failed", association="a-1")
    printed = capsys.readouterr().out
    assert "it failed" in printed
    assert "a-1" in printed
    assert 'raise ValueError("no room")' in printed
    assert "in fail" in printed
    assert "MARLOWE" not in printed.replace('fail(patient="MARLOWE^JUNE")', "")


def test_what_is_of_use_to_developers_only_is_left_out(capsys):
    structlog.get_logger("test").debug("a port probe")
    assert not capsys.readouterr().out
