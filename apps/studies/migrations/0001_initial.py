import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('archive', '0001_initial'),
        ('orders', '0001_initial'),
        ('patients', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Series',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('series_instance_uid', models.CharField(max_length=64)),
                ('modality', models.CharField(blank=True, max_length=16)),
                ('series_number', models.CharField(blank=True, help_text='IS', max_length=12)),
                ('series_description', models.CharField(blank=True, max_length=64)),
                ('series_date', models.CharField(blank=True, max_length=8)),
                ('series_time', models.CharField(blank=True, max_length=16)),
                ('body_part_examined', models.CharField(blank=True, max_length=16)),
                ('laterality', models.CharField(blank=True, max_length=1)),
                ('station_name', models.CharField(blank=True, max_length=16)),
                ('manufacturer', models.CharField(blank=True, max_length=64)),
                ('performed_step_uid', models.CharField(blank=True, help_text='(0008,1111)>(0008,1155)', max_length=64)),
                ('performed_start_date', models.CharField(blank=True, max_length=8)),
                ('performed_start_time', models.CharField(blank=True, max_length=16)),
                ('scheduled_procedure_step_id', models.CharField(blank=True, max_length=16)),
                ('requested_procedure_id', models.CharField(blank=True, max_length=16)),
                ('number_of_instances', models.PositiveIntegerField(default=0)),
                ('version', models.PositiveIntegerField(default=1)),
            ],
            options={
                'verbose_name_plural': 'series',
            },
        ),
        migrations.CreateModel(
            name='Instance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sop_instance_uid', models.CharField(max_length=64, unique=True)),
                ('sop_class_uid', models.CharField(max_length=64)),
                ('instance_number', models.CharField(blank=True, help_text='IS', max_length=12)),
                ('rows', models.PositiveIntegerField(null=True)),
                ('columns', models.PositiveIntegerField(null=True)),
                ('bits_allocated', models.PositiveSmallIntegerField(null=True)),
                ('number_of_frames', models.PositiveIntegerField(null=True)),
                ('pixel_offset', models.BigIntegerField(help_text='of native pixel data in the file', null=True)),
                ('pixel_length', models.BigIntegerField(null=True)),
                ('content_date', models.CharField(blank=True, max_length=8)),
                ('content_time', models.CharField(blank=True, max_length=16)),
                ('received_at', models.DateTimeField()),
                ('stored_object', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='archive.storedobject')),
                ('series', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='instances', to='studies.series')),
            ],
        ),
        migrations.CreateModel(
            name='InstanceVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(max_length=100)),
                ('received_at', models.DateTimeField()),
                ('instance', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='studies.instance')),
                ('stored_object', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='archive.storedobject')),
            ],
        ),
        migrations.CreateModel(
            name='SeriesMetadata',
            fields=[
                ('series', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='metadata', serialize=False, to='studies.series')),
                ('series_version', models.PositiveIntegerField()),
                ('patient_version', models.PositiveIntegerField()),
                ('body', models.BinaryField()),
                ('built_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Study',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('confidentiality', models.CharField(choices=[('N', 'N'), ('R', 'R'), ('V', 'V')], default='N', max_length=1)),
                ('study_instance_uid', models.CharField(max_length=64, unique=True)),
                ('patient_version', models.PositiveIntegerField(default=1, help_text='of the patient when the study was filed; identity goes out anew after')),
                ('study_date', models.CharField(blank=True, help_text='DA', max_length=8)),
                ('study_time', models.CharField(blank=True, help_text='TM', max_length=16)),
                ('timezone_offset', models.CharField(blank=True, help_text='(0008,0201)', max_length=16)),
                ('accession_number', models.CharField(blank=True, max_length=16)),
                ('issuer_of_accession_number', models.CharField(blank=True, max_length=64)),
                ('study_id', models.CharField(blank=True, max_length=16)),
                ('study_description', models.CharField(blank=True, max_length=64)),
                ('referring_physician_name', models.CharField(blank=True, max_length=1000)),
                ('modalities_in_study', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), default=list, size=None)),
                ('sop_classes_in_study', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), default=list, size=None)),
                ('number_of_series', models.PositiveIntegerField(default=0)),
                ('number_of_instances', models.PositiveIntegerField(default=0)),
                ('body_part', models.CharField(blank=True, max_length=16)),
                ('received_patient_id', models.CharField(blank=True, max_length=64)),
                ('received_issuer_of_patient_id', models.CharField(blank=True, max_length=64)),
                ('received_patient_name', models.CharField(blank=True, max_length=1000)),
                ('received_patient_birth_date', models.CharField(blank=True, max_length=8)),
                ('received_patient_sex', models.CharField(blank=True, max_length=16)),
                ('character_set', models.CharField(blank=True, help_text='(0008,0005)', max_length=200)),
                ('completeness', models.CharField(choices=[('RECEIVING', 'RECEIVING'), ('PARTIAL', 'PARTIAL'), ('COMPLETE', 'COMPLETE')], default='RECEIVING', max_length=16)),
                ('completeness_evidence', models.CharField(blank=True, max_length=200)),
                ('availability', models.CharField(choices=[('ONLINE', 'ONLINE'), ('NEARLINE', 'NEARLINE'), ('OFFLINE', 'OFFLINE'), ('UNAVAILABLE', 'UNAVAILABLE')], default='ONLINE', max_length=16)),
                ('source', models.CharField(blank=True, help_text='who sent the first instance', max_length=100)),
                ('first_received_at', models.DateTimeField(null=True)),
                ('last_received_at', models.DateTimeField(null=True)),
                ('version', models.PositiveIntegerField(default=1)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='studies', to='patients.patient')),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.site')),
            ],
            options={
                'verbose_name_plural': 'studies',
            },
        ),
        migrations.AddField(
            model_name='series',
            name='study',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='series', to='studies.study'),
        ),
        migrations.CreateModel(
            name='StudyAttention',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=40)),
                ('key', models.CharField(help_text='what it is about; one open item per kind', max_length=200)),
                ('summary', models.CharField(max_length=300)),
                ('details', models.JSONField(default=dict)),
                ('opened_at', models.DateTimeField()),
                ('resolved_at', models.DateTimeField(null=True)),
                ('resolved_by', models.CharField(blank=True, max_length=200)),
                ('resolution', models.CharField(blank=True, max_length=300)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.site')),
                ('study', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='attention', to='studies.study')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='StudyMatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('score', models.PositiveSmallIntegerField(help_text='0 to 100')),
                ('reason', models.CharField(choices=[('study-instance-uid', 'study-instance-uid'), ('accession-number', 'accession-number'), ('weak-keys', 'weak-keys'), ('person', 'person')], max_length=24)),
                ('evidence', models.CharField(blank=True, max_length=300)),
                ('matched_by', models.CharField(max_length=100)),
                ('matched_at', models.DateTimeField()),
                ('requested_procedure', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='matches', to='orders.requestedprocedure')),
                ('study', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='matches', to='studies.study')),
            ],
        ),
        migrations.AddField(
            model_name='study',
            name='requested_procedures',
            field=models.ManyToManyField(related_name='studies', through='studies.StudyMatch', to='orders.requestedprocedure'),
        ),
        migrations.AddIndex(
            model_name='instance',
            index=models.Index(fields=['series', 'id'], name='instance_by_series'),
        ),
        migrations.AddIndex(
            model_name='series',
            index=models.Index(fields=['series_instance_uid'], name='series_by_uid'),
        ),
        migrations.AddConstraint(
            model_name='series',
            constraint=models.UniqueConstraint(fields=('study', 'series_instance_uid'), name='series_once'),
        ),
        migrations.AddIndex(
            model_name='studyattention',
            index=models.Index(condition=models.Q(('resolved_at', None)), fields=['site', 'opened_at'], name='studies_attention'),
        ),
        migrations.AddConstraint(
            model_name='studyattention',
            constraint=models.UniqueConstraint(condition=models.Q(('resolved_at', None)), fields=('kind', 'key'), name='studies_studyattention_one_open'),
        ),
        migrations.AddConstraint(
            model_name='studymatch',
            constraint=models.UniqueConstraint(fields=('study', 'requested_procedure'), name='study_match_once'),
        ),
        migrations.AddIndex(
            model_name='study',
            index=models.Index(fields=['patient', 'study_date'], name='study_by_patient'),
        ),
        migrations.AddIndex(
            model_name='study',
            index=models.Index(fields=['study_date', 'study_time', 'id'], name='study_by_date'),
        ),
        migrations.AddIndex(
            model_name='study',
            index=models.Index(fields=['accession_number'], name='study_by_accession'),
        ),
        migrations.AddIndex(
            model_name='study',
            index=models.Index(fields=['received_patient_id'], name='study_by_received_id'),
        ),
        migrations.AddIndex(
            model_name='study',
            index=django.contrib.postgres.indexes.GinIndex(fields=['modalities_in_study'], name='study_by_modality'),
        ),
        migrations.AddIndex(
            model_name='study',
            index=models.Index(condition=models.Q(('completeness', 'RECEIVING')), fields=['last_received_at'], name='study_receiving'),
        ),
    ]
