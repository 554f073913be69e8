import apps.accounts.models
import django.contrib.auth.models
import django.contrib.auth.validators
import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='Practice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, unique=True)),
                ('phone', models.CharField(blank=True, max_length=40)),
            ],
        ),
        migrations.CreateModel(
            name='Site',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=16, unique=True)),
                ('name', models.CharField(max_length=100)),
                ('timezone', models.CharField(default='UTC', help_text='IANA name', max_length=64)),
                ('issuer_of_patient_id', models.CharField(max_length=64)),
                ('issuer_of_accession_number', models.CharField(max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('username', models.CharField(error_messages={'unique': 'A user with that username already exists.'}, help_text='Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.', max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username')),
                ('first_name', models.CharField(blank=True, max_length=150, verbose_name='first name')),
                ('last_name', models.CharField(blank=True, max_length=150, verbose_name='last name')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
                ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
                ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
                ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
                ('roles', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('scheduler', 'scheduler'), ('technologist', 'technologist'), ('radiologist', 'radiologist'), ('referrer', 'referrer'), ('privacy', 'privacy'), ('admin', 'admin')], max_length=16), default=list, size=None)),
                ('title', models.CharField(blank=True, help_text='Dr, Prof', max_length=20)),
                ('provider_id', models.CharField(blank=True, help_text='XCN.1 under which orders name this person', max_length=64)),
                ('preferences', models.JSONField(blank=True, default=dict)),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
                ('practice', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='members', to='accounts.practice')),
                ('home_site', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.site')),
                ('sites', models.ManyToManyField(blank=True, related_name='users', to='accounts.site')),
            ],
            managers=[
                ('objects', django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name='AccessGrant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('grantee', models.CharField(help_text='user:12 or practice:3', max_length=40)),
                ('patient_key', models.BigIntegerField(null=True)),
                ('exam_key', models.BigIntegerField(help_text='primary key of a RequestedProcedure', null=True)),
                ('reason', models.CharField(max_length=100)),
                ('granted_at', models.DateTimeField()),
                ('granted_by', models.CharField(max_length=100)),
                ('expires_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['exam_key'], name='grant_by_exam'), models.Index(fields=['patient_key'], name='grant_by_patient')],
                'constraints': [models.CheckConstraint(condition=models.Q(('patient_key', None), ('exam_key', None), _connector='XOR'), name='grant_names_one_thing'), models.UniqueConstraint(condition=models.Q(('revoked_at', None)), fields=('grantee', 'patient_key', 'exam_key', 'reason'), name='grant_once', nulls_distinct=False)],
            },
        ),
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('label', models.CharField(blank=True, max_length=100)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_tokens', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='ApplicationEntity',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('ae_title', models.CharField(max_length=16, unique=True)),
                ('host', models.CharField(max_length=255)),
                ('port', models.PositiveIntegerField()),
                ('verbs', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), default=apps.accounts.models.all_verbs, size=None)),
                ('description', models.CharField(blank=True, max_length=200)),
                ('active', models.BooleanField(default=True)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='application_entities', to='accounts.site')),
            ],
        ),
        migrations.CreateModel(
            name='Hl7Peer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True)),
                ('app', models.CharField(blank=True, help_text='MSH-3 it sends', max_length=180)),
                ('facility', models.CharField(blank=True, help_text='MSH-4 it sends', max_length=180)),
                ('issuer', models.CharField(blank=True, help_text='issuer of its patient IDs where PID-3.4 is empty', max_length=64)),
                ('accession_field', models.CharField(blank=True, help_text='where its accession is if not in OBR-18, such as ORC-3', max_length=8)),
                ('charset', models.CharField(blank=True, help_text='where MSH-18 is empty', max_length=40)),
                ('send_host', models.CharField(blank=True, max_length=255)),
                ('send_port', models.PositiveIntegerField(blank=True, null=True)),
                ('events', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), blank=True, default=list, help_text='oru, status', size=None)),
                ('active', models.BooleanField(default=True)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='hl7_peers', to='accounts.site')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('app', ''), ('facility', ''), _negated=True), fields=('app', 'facility'), name='hl7_peer_sender_once')],
            },
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.UniqueConstraint(condition=models.Q(('provider_id', ''), _negated=True), fields=('provider_id',), name='provider_id_once'),
        ),
    ]
