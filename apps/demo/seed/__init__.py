"""The demo hospital: invented people, plausible work, repeatable by seed."""
