"""Where an installation keeps its databases, archive, logs and sockets, and how to reach them."""

import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

POINTER = ".isocenter-home"  # in the checkout: the home that `make up` chose last


def default_home(base_dir: Path) -> Path:
    """Return the home where none is named: `var/` in the checkout, for root one in `/var/lib`.

    PostgreSQL does not run as root, and its account may not be able to enter the checkout.
    """
    if os.geteuid() != 0:
        return base_dir / "var"
    digest = hashlib.sha256(str(base_dir).encode()).hexdigest()[:8]
    return Path("/var/lib") / f"isocenter-{digest}"


def find_home(base_dir: Path) -> Path:
    """Return ISOCENTER_HOME, else the home `make up` used here last, else the default."""
    chosen = os.environ.get("ISOCENTER_HOME")
    if not chosen:
        with contextlib.suppress(OSError):
            chosen = (base_dir / POINTER).read_text().strip()
    return Path(chosen).absolute() if chosen else default_home(base_dir)


def make_home(home: Path) -> None:
    """Make the home and its `run` folder: ours alone, the home itself to be passed through."""
    if not home.is_dir():
        home.mkdir(parents=True)
        home.chmod(0o711)  # the account of PostgreSQL has a folder in it
    (home / "run").mkdir(mode=0o700, exist_ok=True)


def load_environment(home: Path) -> None:
    """Take over what `make up` wrote to `run/environment`; what is set already wins."""
    path = home / "run" / "environment"
    if not path.is_file():
        return
    for line in path.read_text().splitlines():
        key, separator, value = line.partition("=")
        if separator:
            os.environ.setdefault(key, value)


def secret_key(home: Path) -> str:
    """Return the installation's secret, made at the first call and kept in `run/secret_key`."""
    path = home / "run" / "secret_key"
    if not path.is_file():
        make_home(home)
        draft = path.with_name(f"secret_key.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(48))
        with contextlib.suppress(FileExistsError):  # of several first processes, one decides
            os.link(draft, path)
        draft.unlink()
    return path.read_text()


def database_config(url: str, home: Path, role: str = "") -> dict[str, Any]:
    """Turn a `postgresql://` URL into Django's form; by default the embedded server's socket.

    Args:
        url: empty for the embedded server.
        home: where its socket is.
        role: the role to take on with each connection, none where empty.
    """
    config: dict[str, Any] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "isocenter",
        "USER": "postgres",
        "HOST": str(home / "postgres"),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
        "OPTIONS": {},
    }
    if url:
        parts = urlsplit(url)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        config |= {
            "NAME": unquote(parts.path.lstrip("/")) or "isocenter",
            "USER": unquote(parts.username or "postgres"),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": query.pop("host", "") or parts.hostname or "",
            "PORT": str(parts.port or ""),
            "OPTIONS": query,
        }
    options = config["OPTIONS"]
    # Only statements that ask for it are prepared (`apps.core.sql`). A pooler between must know
    # prepared statements, as PgBouncer does since 1.21; 'none' in the URL switches them off.
    prepare = options.get("prepare_threshold", "5")
    options["prepare_threshold"] = None if prepare == "none" else int(prepare)
    # Our statements read few rows: starting workers for them costs more than they save.
    session = "-c max_parallel_workers_per_gather=0"
    if role:
        session += f" -c role={role}"
    options["options"] = f"{session} {options.get('options', '')}".strip()
    return config


def broker_url(home: Path) -> str:
    """Return the address of the embedded Valkey."""
    return f"redis+socket://{home / 'run' / 'valkey.sock'}"
