"""The processes of an installation under supervisord: started, restarted, stopped, none left."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from pacs_site.up.bootstrap import CHECKOUT
from pacs_site.up.errors import UpError
from pacs_site.up.user import leash

STOP_SECONDS = 150.0  # what all processes together may take to finish what they have in hand


@dataclass(frozen=True)
class Program:
    """One supervised process."""

    name: str
    command: list[str]
    priority: int = 100
    stop_signal: str = "TERM"
    account: str = "-"
    stop_seconds: int = 15

    def section(self, logs: Path) -> str:
        """Return its part of supervisord's configuration."""
        command = [
            *(sys.executable, "-m", "pacs_site.up.leash", self.stop_signal, self.account),
            *self.command,
        ]
        quoted = " ".join(_quote(word) for word in command)
        return (
            f"[program:{self.name}]\ncommand={quoted}\ndirectory={_percent(str(CHECKOUT))}\n"
            f"priority={self.priority}\nautostart=false\nautorestart=true\nstartsecs=1\n"
            f"startretries=1000\nstopsignal={self.stop_signal}\nstopwaitsecs={self.stop_seconds}\n"
            f"killasgroup=true\nredirect_stderr=true\n"
            f"stdout_logfile={_percent(str(logs / self.name))}.log\n"
            "stdout_logfile_maxbytes=20MB\nstdout_logfile_backups=3\n\n"
        )


def _quote(word: str) -> str:
    return '"' + _percent(word).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _percent(text: str) -> str:
    return text.replace("%", "%%")


class Supervisor:
    """The supervisord of one home."""

    def __init__(self, run: Path, logs: Path) -> None:
        """Name its files; nothing is started."""
        self._logs = logs
        self._config = run / "supervisord.conf"
        self._socket = run / "supervisor.sock"
        self._pidfile = run / "supervisord.pid"

    @property
    def pid(self) -> int | None:
        """The process id of the supervisord that runs, or None."""
        try:
            pid = int(self._pidfile.read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if str(self._config).encode() in words else None

    def start(self, programs: list[Program], *, tied: bool) -> None:
        """Start supervisord with its programs stopped; `tied`: it ends when we end."""
        user = "user=root\n" if os.geteuid() == 0 else ""
        text = (
            f"[unix_http_server]\nfile={_percent(str(self._socket))}\nchmod=0700\n\n"
            f"[supervisord]\nnodaemon=true\n{user}pidfile={_percent(str(self._pidfile))}\n"
            f"logfile={_percent(str(self._logs / 'supervisord.log'))}\nlogfile_maxbytes=5MB\n"
            "minfds=4096\n\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory="
            "supervisor.rpcinterface:make_main_rpcinterface\n\n"
            + "".join(program.section(self._logs) for program in programs)
        )
        self._config.write_text(text)
        self._pidfile.unlink(missing_ok=True)
        with (self._logs / "supervisord.out").open("wb") as out:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=CHECKOUT,
                start_new_session=True,  # Ctrl-C is ours; we stop it in order
                preexec_fn=leash() if tied else None,  # noqa: PLW1509
            )
        for _ in ticks(20):
            with contextlib.suppress(OSError, xmlrpc.client.Error):
                self.rpc.getState()
                return
            if process.poll() is not None:
                break
        words = (self._logs / "supervisord.out").read_text()[-2000:]
        raise UpError(f"The supervisor did not start:\n{words}")

    @property
    def rpc(self) -> Any:
        """Supervisord's XML-RPC interface."""
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def states(self) -> dict[str, dict[str, Any]]:
        """Return each program's state as supervisord tells it."""
        return {state["name"]: state for state in self.rpc.getAllProcessInfo()}

    def launch(self, name: str) -> None:
        """Start a program and wait for nothing."""
        wait = False
        self.rpc.startProcess(name, wait)

    def run_program(self, name: str) -> None:
        """Start a program and see that it lives for a second.

        Raises:
            UpError: it does not; with the end of its log.
        """
        try:
            self.rpc.startProcess(name)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" in fault.faultString:
                return
            raise UpError(f"{name} does not start:\n{self.tail(name)}") from None

    def tail(self, name: str, lines: int = 15) -> str:
        """Return the end of a program's log."""
        path = self._logs / f"{name}.log"
        text = path.read_text(errors="replace") if path.is_file() else ""
        return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) + f"\n  ({path})"

    def stop(self) -> None:
        """Stop every program in order, the servers last, then supervisord."""
        pid = self.pid
        if pid is None:
            return
        with contextlib.suppress(OSError, xmlrpc.client.Error):
            self.rpc.shutdown()
        for _ in ticks(STOP_SECONDS):
            if self.pid is None:
                return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # its children follow, see leash


def marked(mark: str) -> list[int]:
    """Return the processes whose environment holds `mark`, but for ourselves."""
    wanted = mark.encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it ended, or is another person's
            continue
        if wanted in words and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def end_marked(mark: str, seconds: float) -> None:
    """See that no process with `mark` is left: wait for `seconds`, then kill."""
    for _ in ticks(seconds):
        if not marked(mark):
            return
    for pid in marked(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def ticks(seconds: float, pause: float = 0.05) -> Iterator[None]:
    """Yield until `seconds` are over, with a pause after each turn."""
    end = time.monotonic() + seconds
    while True:
        yield
        if time.monotonic() >= end:
            return
        time.sleep(pause)
