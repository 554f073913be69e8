import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='CopyCursor',
            fields=[
                ('storage', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('last_object', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='StoredObject',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(help_text='SHA-256 of the data set, hexadecimal', max_length=64)),
                ('size_bytes', models.BigIntegerField(help_text='of the whole file')),
                ('dataset_offset', models.PositiveIntegerField(help_text='where the data set begins in the file')),
                ('transfer_syntax_uid', models.CharField(max_length=64)),
                ('tier', models.CharField(default='ONLINE', help_text='(0008,0056)', max_length=16)),
                ('keep_until', models.DateField(null=True)),
                ('stored_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='VerificationPass',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('storage', models.CharField(max_length=32)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('cursor', models.BigIntegerField(default=0)),
                ('last_location', models.BigIntegerField(help_text='the newest when the pass began; its end')),
                ('copies', models.BigIntegerField(default=0, help_text='read so far')),
                ('bytes_read', models.BigIntegerField(default=0)),
                ('busy_seconds', models.FloatField(default=0)),
                ('missing', models.PositiveIntegerField(default=0)),
                ('truncated', models.PositiveIntegerField(default=0)),
                ('altered', models.PositiveIntegerField(default=0)),
                ('unreadable', models.PositiveIntegerField(default=0)),
                ('repaired', models.PositiveIntegerField(default=0)),
            ],
            options={
                'verbose_name_plural': 'verification passes',
                'indexes': [models.Index(fields=['storage', '-started_at'], name='verification_pass_last')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('finished_at', None)), fields=('storage',), name='verification_pass_one_open')],
            },
        ),
        migrations.CreateModel(
            name='Location',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('storage', models.CharField(default='default', max_length=32)),
                ('key', models.CharField(help_text="path under the storage's root", max_length=200)),
                ('offset_bytes', models.BigIntegerField(default=0)),
                ('cipher', models.CharField(blank=True, help_text='chunked authenticated encryption, when on', max_length=32)),
                ('status', models.CharField(choices=[('available', 'Available'), ('missing', 'Missing'), ('corrupt', 'Corrupt'), ('removed', 'Removed')], default='available', max_length=16)),
                ('problem', models.CharField(blank=True, help_text='what a verification found, in a word', max_length=16)),
                ('verified_at', models.DateTimeField(help_text='when it was last read and found good', null=True)),
                ('stored_object', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='locations', to='archive.storedobject')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('status__in', ['missing', 'corrupt'])), fields=['storage', 'id'], name='location_damaged')],
                'constraints': [models.UniqueConstraint(fields=('storage', 'key'), name='location_once')],
            },
        ),
    ]
