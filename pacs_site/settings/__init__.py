"""Django settings. Everything that differs between installations comes from the environment.

`manage.py` works from a second shell with nothing set: what `make up` started has written its
addresses into `ISOCENTER_HOME/run/environment`, and `pacs_site.home` reads them.
"""

from pathlib import Path

from environs import Env

from pacs_site import home, logs

logs.configure()
BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = Env()
HOME = home.find_home(BASE_DIR)
home.load_environment(HOME)

PRODUCTION = env.bool("ISOCENTER_PRODUCTION", False)
DEBUG = env.bool("ISOCENTER_DEBUG", False)
SECRET_KEY = env.str("ISOCENTER_SECRET_KEY", "") or home.secret_key(HOME)
ALLOWED_HOSTS = env.list("ISOCENTER_ALLOWED_HOSTS", ["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("ISOCENTER_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "allauth",
    "allauth.account",
    "django_htmx",
    "pgtrigger",
    "apps.core",
    "apps.audit",
    "apps.accounts",
    "apps.patients",
    "apps.orders",
    "apps.archive",
    "apps.scheduling",
    "apps.studies",
    "apps.worklists",
    "apps.reports",
    "apps.exchange",
    "apps.dimse",
    "apps.dicomweb",
    "apps.hl7",
    "apps.viewer",
    "apps.workspace",
    "apps.conformance",
    "apps.demo",
]

MIDDLEWARE = [
    "pacs_site.metrics.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "pacs_site.content_security.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.accounts.middleware.ActorMiddleware",
]

# What a page in a browser needs, and its session: a DICOMweb client with a token goes without
# (`pacs_site.wsgi`). No browser shows as a page, or in a frame, what it asked for with a token.
MIDDLEWARE_OF_PAGES = [
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "pacs_site.content_security.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "pacs_site.urls"
ASGI_APPLICATION = "pacs_site.asgi.application"
WSGI_APPLICATION = "pacs_site.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.workspace.context.shell",
            ],
        },
    },
]

# Commands that change tables run as their owner (`manage.py` says which), all else as a role that
# may only read and write rows.
_DATABASE_URL = env.str("DATABASE_URL", "")
if env.bool("ISOCENTER_AS_OWNER", False):
    _database = home.database_config(env.str("DATABASE_MIGRATION_URL", "") or _DATABASE_URL, HOME)
else:
    _database = home.database_config(_DATABASE_URL, HOME, role="isocenter_app")
DATABASES = {"default": _database}
ISOCENTER_DATABASE_USER = home.database_config(_DATABASE_URL, HOME)["USER"]

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
SESSION_COOKIE_AGE = env.int("ISOCENTER_SESSION_MINUTES", 720) * 60
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
# In production a proxy ends TLS. Its word is taken only where it is said to be there, since anyone
# else could forge it.
if env.bool("ISOCENTER_BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    USE_X_FORWARDED_HOST = True
SECURE_SSL_REDIRECT = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^readyz$", r"^metrics$"]  # asked by machines beside this one
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # subdomains and preload lists are the hospital's, not one host's, to decide
    "security.W021",
    "security.W019",  # the viewer stands in frames of our own pages
]
SECURE_HSTS_SECONDS = env.int("ISOCENTER_HSTS_SECONDS", 2_592_000) if PRODUCTION else 0
X_FRAME_OPTIONS = "SAMEORIGIN"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static" / "collected"
STATICFILES_DIRS = [BASE_DIR / "static"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Isocenter API",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'", "'wasm-unsafe-eval'"],
        "worker-src": ["'self'"],
        "style-src": ["'self'"],
        "connect-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "media-src": ["'self'", "blob:"],
        "font-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'self'"],
        "object-src": ["'none'"],
    },
}

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "") or home.broker_url(HOME)
# A broker that hangs must not hang whoever asks it.
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"socket_timeout": 5.0} if CELERY_BROKER_URL.startswith(("redis", "valkey")) else {}
)
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # however long it is away, nobody has to be restarted
CELERY_TASK_ROUTES = ["apps.core.tasks.route"]
CELERY_BEAT_SCHEDULE = {
    # What lost its wake-up, or waits for a peer to come back.
    "hl7-out": {
        "task": "apps.hl7.tasks.deliveries_send",
        "schedule": 15.0,
        "options": {"expires": 15.0},
    },
    # Storage commitments whose wake-up was lost, or whose peer was away.
    "commitments": {
        "task": "apps.dimse.tasks.commitments_answer",
        "schedule": 15.0,
        "options": {"expires": 15.0},
    },
    # A study that nothing is added to is complete; a scanner step that never ended is late.
    "studies-settle": {
        "task": "apps.studies.tasks.settle_studies",
        "schedule": 20.0,
        "options": {"expires": 20.0},
    },
    # Images that came again, whose wake-up was lost or whose current one was chosen anew.
    "versions-compare": {
        "task": "apps.studies.tasks.compare_versions",
        "schedule": 30.0,
        "options": {"expires": 30.0},
    },
    # What was released or discarded can be looked at and taken back for a month.
    "quarantine-purge": {
        "task": "apps.studies.tasks.purge_quarantine",
        "schedule": 6 * 3600.0,
        "options": {"expires": 3600.0},
    },
    # Files that came whole through the browser and whose wake-up was lost.
    "uploads-take": {
        "task": "apps.studies.tasks.take_uploads",
        "schedule": 15.0,
        "options": {"expires": 15.0},
    },
    # Pieces of uploads that nobody goes on with.
    "uploads-expire": {
        "task": "apps.studies.tasks.expire_uploads",
        "schedule": 3600.0,
        "options": {"expires": 3600.0},
    },
    "audit-seal": {
        "task": "apps.audit.tasks.seal_audit",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "archive-copy": {
        "task": "apps.archive.tasks.copy_archive",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "archive-verify": {
        "task": "apps.archive.tasks.verify_archive",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "archive-sweep": {
        "task": "apps.archive.tasks.sweep_archive",
        "schedule": 6 * 3600.0,
        "options": {"expires": 3600.0},
    },
    "associations-forget": {
        "task": "apps.dimse.tasks.associations_forget",
        "schedule": 6 * 3600.0,
        "options": {"expires": 3600.0},
    },
    "performed-steps": {
        "task": "apps.worklists.tasks.performed_steps_look",
        "schedule": 300.0,
        "options": {"expires": 300.0},
    },
}
ARCHIVE_URL = env.str("ARCHIVE_URL", "") or (HOME / "archive").as_uri()
# More storages, `name=url` each; in which order they take new objects; which keep a copy of all.
ARCHIVE_STORAGES: dict[str, str] = dict(
    entry.split("=", 1) for entry in env.str("ARCHIVE_STORAGES", "").split()
)
ARCHIVE_WRITE_TO: list[str] = env.str("ARCHIVE_WRITE_TO", "").split() or ["default"]
ARCHIVE_COPY_TO: list[str] = env.str("ARCHIVE_COPY_TO", "").split()
# What stays free on a write target: the database may lie on the same disk.
ARCHIVE_RESERVE_MB = env.int("ARCHIVE_RESERVE_MB", 512)
ARCHIVE_SPOOL = HOME / "spool"  # what is on its way to an S3
# Every copy is read again at most this often, at this rate while it lasts.
ARCHIVE_SCRUB_DAYS = env.int("ARCHIVE_SCRUB_DAYS", 7)
ARCHIVE_SCRUB_MB_PER_S = env.int("ARCHIVE_SCRUB_MB_PER_S", 40)

ISOCENTER_AE_TITLE = env.str("ISOCENTER_AE_TITLE", "ISOCENTER")
ISOCENTER_ASSOCIATION_DAYS = env.int("ISOCENTER_ASSOCIATION_DAYS", 30)  # of the black box
ISOCENTER_HTTP_PORT = env.int("ISOCENTER_HTTP_PORT", 8000)
ISOCENTER_DICOM_PORT = env.int("ISOCENTER_DICOM_PORT", 11112)
ISOCENTER_DICOM_TLS_PORT = env.int("ISOCENTER_DICOM_TLS_PORT", 2762)
# PEM files; with all three the TLS door opens. Replaced files are taken at the next connection.
ISOCENTER_DICOM_TLS_CERTIFICATE = env.str("ISOCENTER_DICOM_TLS_CERTIFICATE", "")
ISOCENTER_DICOM_TLS_KEY = env.str("ISOCENTER_DICOM_TLS_KEY", "")
ISOCENTER_DICOM_TLS_CA = env.str("ISOCENTER_DICOM_TLS_CA", "")
ISOCENTER_MLLP_PORT = env.int("ISOCENTER_MLLP_PORT", 2575)
ISOCENTER_VERSION = "0.1.0"
ISOCENTER_DEMO = env.bool("ISOCENTER_DEMO", False)
ISOCENTER_OPEN_AE = env.bool("ISOCENTER_OPEN_AE", False)
ISOCENTER_OPEN_HL7 = env.bool("ISOCENTER_OPEN_HL7", False)
# Guard rails of queries: rows in one answer (more by role or kind of actor, "radiologist=50000,
# ae=5000"), seconds and planner's cost of those that no index serves.
ISOCENTER_QUERY_ROWS = env.int("ISOCENTER_QUERY_ROWS", 20_000)
ISOCENTER_QUERY_ROWS_OF: dict[str, int] = env.dict(
    "ISOCENTER_QUERY_ROWS_OF", {}, subcast_values=int
)
ISOCENTER_QUERY_SECONDS = env.float("ISOCENTER_QUERY_SECONDS", 20.0)
ISOCENTER_QUERY_COST = env.float("ISOCENTER_QUERY_COST", 10_000_000.0)
# Whether scanners still see steps that have begun, for those that ask again during the exam.
ISOCENTER_WORKLIST_STARTED = env.bool("ISOCENTER_WORKLIST_STARTED", False)
