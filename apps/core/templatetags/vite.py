"""The built front end in templates: `{% load vite %}{% vite "viewer" %}`."""

import json
import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
logger = logging.getLogger(__name__)


@lru_cache(maxsize=1)
def _manifest(path: Path, modified_ns: int) -> dict[str, Any]:
    return json.loads(path.read_text())


def load_manifest() -> dict[str, Any] | None:
    """Return Vite's manifest, read again only when a build replaced it; None before any build."""
    path = Path(settings.BASE_DIR) / "static" / "dist" / "manifest.json"
    try:
        modified_ns = path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    return _manifest(path, modified_ns)


def _chunks(manifest: dict[str, Any], key: str, seen: dict[str, Any]) -> dict[str, Any]:
    """Collect the chunks an entry imports statically, itself included, each once."""
    if key not in seen:
        seen[key] = manifest[key]
        for imported in manifest[key].get("imports", ()):
            _chunks(manifest, imported, seen)
    return seen


@register.simple_tag
def vite(entry: str) -> SafeString:
    """Emit the style sheets, preloads and module script of `static/src/<entry>/main.ts`.

    Only external files, so the strict content security policy needs no nonce. Without a build the
    page still works as plain HTML and the log says what to run.

    Raises:
        KeyError: The build has no such entry; a typing error in a template must not go unseen.
    """
    manifest = load_manifest()
    if manifest is None:
        logger.warning("The front end is not built: run `npm ci && npm run build`.")
        return mark_safe("<!-- front end not built -->")
    key = f"static/src/{entry}/main.ts"
    chunks = _chunks(manifest, key, {})
    styles = dict.fromkeys(css for chunk in chunks.values() for css in chunk.get("css", ()))
    preloads = [(static(f"dist/{c['file']}"),) for name, c in chunks.items() if name != key]
    return format_html(
        '{}{}<script type="module" src="{}"></script>',
        format_html_join(
            "\n", '<link rel="stylesheet" href="{}">', ((static(f"dist/{css}"),) for css in styles)
        ),
        format_html_join("\n", '<link rel="modulepreload" href="{}">', preloads),
        static(f"dist/{manifest[key]['file']}"),
    )
