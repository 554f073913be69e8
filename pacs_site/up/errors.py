"""What stops an installation, in words for the person at the keyboard."""


class UpError(Exception):
    """Something the user can mend; the message says what and how. Printed without a traceback."""
