#!/usr/bin/env python
"""Isocenter's command line: every administrative command starts here."""

import os
import sys

from django.core.management import execute_from_command_line

# These change tables, which only their owner may; everything else runs as `isocenter_app`.
OWNER_COMMANDS = {
    "migrate",
    "makemigrations",
    "showmigrations",
    "sqlmigrate",
    "flush",
    "pgtrigger",
    "load_synthetic",
}

if __name__ == "__main__":
    if OWNER_COMMANDS.intersection(sys.argv[1:2]):
        os.environ["ISOCENTER_AS_OWNER"] = "1"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pacs_site.settings")
    execute_from_command_line(sys.argv)
