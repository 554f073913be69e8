import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('patients', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AccessionSequence',
            fields=[
                ('site', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, serialize=False, to='accounts.site')),
                ('last', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Order',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('confidentiality', models.CharField(choices=[('N', 'N'), ('R', 'R'), ('V', 'V')], default='N', max_length=1)),
                ('accession_number', models.CharField(max_length=16)),
                ('issuer_of_accession_number', models.CharField(max_length=64)),
                ('placer_order_number', models.CharField(blank=True, max_length=64)),
                ('placer_issuer', models.CharField(blank=True, help_text='who issued the placer number', max_length=180)),
                ('status', models.CharField(choices=[('RE', 'RE'), ('VT', 'VT'), ('HD', 'HD'), ('SC', 'SC'), ('IP', 'IP'), ('CM', 'CM'), ('CA', 'CA'), ('DC', 'DC'), ('ER', 'ER')], default='RE', max_length=2)),
                ('priority', models.CharField(choices=[('stat', 'stat'), ('urgent', 'urgent'), ('routine', 'routine')], default='routine', max_length=8)),
                ('reason', models.CharField(blank=True, help_text='indication in words', max_length=500)),
                ('reason_code', models.CharField(blank=True, max_length=64)),
                ('reason_coding_scheme', models.CharField(blank=True, max_length=16)),
                ('clinical_info', models.TextField(blank=True)),
                ('requesting_service', models.CharField(blank=True, help_text='ward or clinic', max_length=64)),
                ('referring_physician_name', models.CharField(blank=True, max_length=324)),
                ('ordered_at', models.DateTimeField()),
                ('requested_at', models.DateTimeField(blank=True, help_text='when it is wanted', null=True)),
                ('cancel_reason', models.CharField(blank=True, max_length=300)),
                ('source', models.CharField(default='page', help_text='page, hl7, worklist', max_length=20)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='patients.patient')),
                ('referrer', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.site')),
            ],
        ),
        migrations.CreateModel(
            name='OrderAttention',
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
                ('order', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='attention', to='orders.order')),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.site')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Procedure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=16)),
                ('coding_scheme', models.CharField(default='L', help_text='(0008,0102)', max_length=16)),
                ('meaning', models.CharField(help_text='(0008,0104)', max_length=64)),
                ('loinc', models.CharField(blank=True, max_length=10)),
                ('modality', models.CharField(help_text='(0008,0060)', max_length=16)),
                ('body_part', models.CharField(blank=True, help_text='(0018,0015)', max_length=16)),
                ('duration_minutes', models.PositiveIntegerField()),
                ('preparation', models.TextField(blank=True)),
                ('needs_vetting', models.BooleanField(default=False)),
                ('active', models.BooleanField(default=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('coding_scheme', 'code'), name='procedure_code_once')],
            },
        ),
        migrations.CreateModel(
            name='ProcedureMapping',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=64)),
                ('peer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='procedure_mappings', to='accounts.hl7peer')),
                ('procedure', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mappings', to='orders.procedure')),
            ],
        ),
        migrations.CreateModel(
            name='RequestedProcedure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(default=1)),
                ('code', models.CharField(help_text='as received', max_length=64)),
                ('coding_scheme', models.CharField(blank=True, max_length=64)),
                ('description', models.CharField(max_length=200)),
                ('modality', models.CharField(blank=True, max_length=16)),
                ('body_part', models.CharField(blank=True, max_length=16)),
                ('laterality', models.CharField(blank=True, help_text='(0020,0060) L or R', max_length=1)),
                ('requested_procedure_id', models.CharField(max_length=16, unique=True)),
                ('study_instance_uid', models.CharField(max_length=64, unique=True)),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='requested_procedures', to='orders.order')),
                ('procedure', models.ForeignKey(blank=True, help_text='empty: code unknown', null=True, on_delete=django.db.models.deletion.PROTECT, to='orders.procedure')),
            ],
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['site', 'status', 'ordered_at'], name='order_by_status'),
        ),
        migrations.AddIndex(
            model_name='order',
            index=models.Index(fields=['accession_number'], name='order_by_accession'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['RE', 'VT', 'HD', 'SC', 'IP', 'CM', 'CA', 'DC', 'ER'])), name='order_status_known'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.UniqueConstraint(fields=('issuer_of_accession_number', 'accession_number'), name='accession_once'),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.UniqueConstraint(condition=models.Q(('placer_order_number', ''), _negated=True), fields=('placer_issuer', 'placer_order_number'), name='placer_order_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='order',
            trigger=pgtrigger.compiler.Trigger(name='order_status_fsm', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{CM:IP,DC:IP,HD:CA,HD:RE,IP:CM,IP:DC,RE:CA,RE:CM,RE:ER,RE:HD,RE:IP,RE:SC,RE:VT,SC:CA,SC:CM,SC:DC,SC:HD,SC:IP,SC:RE,VT:CA,VT:ER,VT:HD,VT:IP,VT:RE}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='b0a7b294b431d83351a0da507c153fa8adadf5e0', operation='UPDATE', pgid='pgtrigger_order_status_fsm_d421a', table='orders_order', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='orderattention',
            index=models.Index(condition=models.Q(('resolved_at', None)), fields=['site', 'opened_at'], name='orders_attention'),
        ),
        migrations.AddConstraint(
            model_name='orderattention',
            constraint=models.UniqueConstraint(condition=models.Q(('resolved_at', None)), fields=('kind', 'key'), name='orders_orderattention_one_open'),
        ),
        migrations.AddConstraint(
            model_name='proceduremapping',
            constraint=models.UniqueConstraint(fields=('peer', 'code'), name='procedure_mapping_once'),
        ),
        migrations.AddConstraint(
            model_name='requestedprocedure',
            constraint=models.UniqueConstraint(fields=('order', 'number'), name='requested_procedure_once'),
        ),
    ]
