"""Django as WSGI: everything but `/live/` runs here, in worker threads."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pacs_site.settings")
application = get_wsgi_application()
