"""Where an installation keeps its databases, archive, logs and sockets, and how to reach them."""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


def find_home(base_dir: Path) -> Path:
    """Return `ISOCENTER_HOME`, by default `var/` in the checkout."""
    return Path(os.environ.get("ISOCENTER_HOME") or base_dir / "var")


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
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(secrets.token_urlsafe(48))
    return path.read_text()


def database_config(url: str, home: Path) -> dict[str, Any]:
    """Turn a `postgresql://` URL into Django's form; by default the embedded server's socket."""
    config: dict[str, Any] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "isocenter",
        "USER": "postgres",
        "HOST": str(home / "postgres"),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
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
    return config


def broker_url(home: Path) -> str:
    """Return the address of the embedded Valkey."""
    return f"redis+socket://{home / 'run' / 'valkey.sock'}"
