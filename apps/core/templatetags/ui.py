"""The design system as template tags. `docs/ui.md` shows each with an example."""

import datetime as dt
from collections.abc import Iterable
from typing import Any, cast

from django import template
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core import words
from apps.core.chain import ChainLink
from apps.core.status import status_words

register = template.Library()

register.filter("words", words.date_words)
register.filter("when", words.when)
register.filter("clock", words.clock)
register.filter("minutes", words.minutes_words)
register.filter("duration", words.duration)
register.filter("since", words.since)
register.filter("sex_words", words.sex_words)
register.filter("size_words", words.size_words)


@register.filter
def age(birth: dt.date | str | None, at: dt.date | None = None) -> str:
    """`58 y` today, or on the day given as argument."""
    return words.age(birth, at)


@register.filter
def name_text(value: object) -> str:
    """`OKONKWO, Adaeze` as plain text, for titles and labels."""
    return str(words.person_name(value))


@register.filter
def initials(value: object) -> str:
    """Two letters for the round mark of a person, from a full name (`Dr Ines Falk`: IF)."""
    parts = [p for p in str(value).replace("^", " ").split() if p.rstrip(".").lower() != "dr"]
    return "".join(p[0] for p in (parts[:1] + parts[1:][-1:]) if p).upper()


@register.simple_tag
def icon(name: str, size: str = "", classes: str = "") -> SafeString:
    """An icon of `static/icons.svg`; `size` is empty, `s` or `l`. Words always stand beside it."""
    css = " ".join(c for c in ("i", f"i--{size}" if size else "", classes) if c)
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#{}"></use></svg>',
        css,
        static("icons.svg"),
        name,
    )


@register.simple_tag
def status(family_or_code: str, code: str = "", variant: str = "", words: str = "") -> SafeString:
    """A state as icon and words: `{% status "report.final" %}` or `{% status "report" r.status %}`.

    `variant` is empty (grey words, tinted icon), `loud` (tinted words), `chip` or `solid` (red
    ground, for what must not be missed); `words` replaces the words (a count, say).
    """
    shown = status_words(f"{family_or_code}.{code}" if code else family_or_code)
    css = {"": "status", "solid": "status status--chip status--solid"}.get(
        variant, f"status status--{variant}"
    )
    return format_html(
        '<span class="{}" data-s="{}">{}{}</span>',
        css,
        shown.code,
        icon(shown.icon),
        words or shown.words,
    )


@register.simple_tag
def person_name(value: object) -> SafeString:
    """FAMILY, Given, with the family name bold. Takes a PN string or a record of a person."""
    name = words.person_name(value)
    if not name.given:
        return format_html("<b>{}</b>", name.family)
    return format_html("<b>{}</b>, {}", name.family, name.given)


@register.simple_tag
def keycap(keys: str) -> SafeString:
    """Key caps: `{% keycap "Ctrl K" %}`; the parts are separated by spaces."""
    caps = format_html_join("", "<kbd>{}</kbd>", ((k,) for k in keys.split()))
    return caps if " " not in keys else format_html('<span class="keys">{}</span>', caps)


@register.inclusion_tag("components/chain.html")
def chain(exam: Any, variant: str = "") -> dict[str, Any]:
    """The chain of an exam: an iterable of `ChainLink`, or an object whose `chain` is one.

    `variant="mini"` draws it without words, for rows.
    """
    links: Iterable[ChainLink] = getattr(exam, "chain", exam)
    return {"links": list(links), "mini": variant == "mini"}


class RailNode(template.Node):
    """Renders the main navigation with the entry that the page names as current."""

    def __init__(self, nodelist: template.NodeList) -> None:
        self.nodelist = nodelist

    def render(self, context: template.Context) -> SafeString:
        """The rail; the words inside the tag are the key of the current entry."""
        current = self.nodelist.render(context).strip()
        with context.push(rail_current=current):
            return render_to_string(
                "components/rail.html", cast("dict[str, Any]", context.flatten())
            )


@register.tag("rail")
def rail(parser: template.base.Parser, token: template.base.Token) -> RailNode:
    """`{% rail %}{% block rail_current %}{% endblock %}{% endrail %}` in the shell only."""
    nodelist = parser.parse(("endrail",))
    parser.delete_first_token()
    return RailNode(nodelist)
