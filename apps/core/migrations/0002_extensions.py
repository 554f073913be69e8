from django.contrib.postgres.operations import BtreeGistExtension, TrigramExtension
from django.db import migrations


class Migration(migrations.Migration):
    """Trusted extensions of PostgreSQL that constraints and indexes of higher apps stand on."""

    dependencies = [("core", "0001_initial")]
    run_before = [("patients", "0001_initial"), ("scheduling", "0001_initial")]
    operations = [BtreeGistExtension(), TrigramExtension()]
