import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Patient',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('confidentiality', models.CharField(choices=[('N', 'N'), ('R', 'R'), ('V', 'V')], default='N', max_length=1)),
                ('name_alphabetic', models.CharField(help_text='Family^Given^Middle^Prefix^Suffix', max_length=324)),
                ('name_ideographic', models.CharField(blank=True, max_length=324)),
                ('name_phonetic', models.CharField(blank=True, max_length=324)),
                ('name_search', models.CharField(max_length=1000)),
                ('birth_date', models.DateField(blank=True, null=True)),
                ('sex', models.CharField(blank=True, choices=[('M', 'Male'), ('F', 'Female'), ('O', 'Other'), ('', 'Unknown')], max_length=1)),
                ('phone', models.CharField(blank=True, max_length=40)),
                ('address', models.CharField(blank=True, max_length=300)),
                ('version', models.PositiveIntegerField(default=1, help_text='rises with every change of identity')),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.site')),
                ('survivor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='merged', to='patients.patient')),
            ],
        ),
        migrations.CreateModel(
            name='PatientIdentifier',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('value', models.CharField(max_length=64)),
                ('issuer', models.CharField(max_length=64)),
                ('type_code', models.CharField(default='MR', help_text='HL7 table 0203', max_length=8)),
                ('primary', models.BooleanField(default=False)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='identifiers', to='patients.patient')),
            ],
        ),
        migrations.CreateModel(
            name='PatientMerge',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('merged_at', models.DateTimeField()),
                ('merged_by', models.CharField(max_length=100)),
                ('undone_at', models.DateTimeField(null=True)),
                ('undone_by', models.CharField(blank=True, max_length=100)),
                ('into', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='patients.patient')),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='merges', to='patients.patient')),
            ],
        ),
        migrations.AddIndex(
            model_name='patient',
            index=models.Index(django.contrib.postgres.indexes.OpClass('name_search', 'text_pattern_ops'), models.F('id'), name='patient_by_name'),
        ),
        migrations.AddIndex(
            model_name='patient',
            index=django.contrib.postgres.indexes.GinIndex(django.contrib.postgres.indexes.OpClass('name_search', 'gin_trgm_ops'), name='patient_by_name_part'),
        ),
        migrations.AddIndex(
            model_name='patient',
            index=models.Index(fields=['birth_date'], name='patient_by_birth_date'),
        ),
        migrations.AddConstraint(
            model_name='patient',
            constraint=models.CheckConstraint(condition=models.Q(('survivor', models.F('id')), _negated=True), name='patient_not_own_survivor'),
        ),
        migrations.AddIndex(
            model_name='patientidentifier',
            index=models.Index(fields=['value'], name='patient_identifier_by_value'),
        ),
        migrations.AddConstraint(
            model_name='patientidentifier',
            constraint=models.UniqueConstraint(fields=('issuer', 'value'), name='patient_identifier_once'),
        ),
        migrations.AddConstraint(
            model_name='patientidentifier',
            constraint=models.UniqueConstraint(condition=models.Q(('primary', True)), fields=('patient',), name='patient_one_primary_identifier'),
        ),
        migrations.AddConstraint(
            model_name='patientmerge',
            constraint=models.UniqueConstraint(condition=models.Q(('undone_at', None)), fields=('patient',), name='patient_merged_once'),
        ),
        migrations.AddConstraint(
            model_name='patientmerge',
            constraint=models.CheckConstraint(condition=models.Q(('patient', models.F('into')), _negated=True), name='patient_not_merged_into_itself'),
        ),
    ]
