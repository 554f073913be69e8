import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('orders', '0001_initial'),
        ('patients', '0001_initial'),
        ('scheduling', '0001_initial'),
        ('studies', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PerformedStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sop_instance_uid', models.CharField(max_length=64, unique=True)),
                ('status', models.CharField(choices=[('IN PROGRESS', 'IN PROGRESS'), ('COMPLETED', 'COMPLETED'), ('DISCONTINUED', 'DISCONTINUED')], default='IN PROGRESS', max_length=16)),
                ('performed_procedure_step_id', models.CharField(max_length=16)),
                ('performed_station_ae_title', models.CharField(max_length=16)),
                ('modality', models.CharField(max_length=16)),
                ('study_instance_uid', models.CharField(blank=True, max_length=64)),
                ('started_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('discontinuation_reason', models.CharField(blank=True, max_length=100)),
                ('attributes', models.JSONField(default=dict, help_text='the data set as DICOM JSON')),
                ('patient', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='patients.patient')),
                ('scheduled_steps', models.ManyToManyField(related_name='performed_steps', to='scheduling.scheduledstep')),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.site')),
            ],
        ),
        migrations.CreateModel(
            name='ReadingItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('confidentiality', models.CharField(choices=[('N', 'N'), ('R', 'R'), ('V', 'V')], default='N', max_length=1)),
                ('state', models.CharField(choices=[('unread', 'Unread'), ('draft', 'Draft'), ('preliminary', 'Preliminary'), ('done', 'Done')], default='unread', max_length=16)),
                ('priority', models.CharField(default='routine', max_length=8)),
                ('priority_rank', models.PositiveSmallIntegerField(default=2, help_text='0 stat, 1 urgent, 2 routine')),
                ('due_at', models.DateTimeField()),
                ('modality', models.CharField(max_length=16)),
                ('body_part', models.CharField(blank=True, max_length=16)),
                ('description', models.CharField(max_length=200)),
                ('requesting_service', models.CharField(blank=True, max_length=64)),
                ('since', models.DateTimeField(help_text='when it became readable')),
                ('claimed_at', models.DateTimeField(null=True)),
                ('claim_seen_at', models.DateTimeField(help_text='heartbeat of the open study', null=True)),
                ('assigned_to', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('claimed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='claims', to=settings.AUTH_USER_MODEL)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='patients.patient')),
                ('requested_procedure', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reading_item', to='orders.requestedprocedure')),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.site')),
                ('study', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reading_items', to='studies.study')),
            ],
        ),
        migrations.CreateModel(
            name='WorklistAttention',
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
                ('performed_step', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='attention', to='worklists.performedstep')),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.site')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddConstraint(
            model_name='performedstep',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['IN PROGRESS', 'COMPLETED', 'DISCONTINUED'])), name='mpps_status_known'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='performedstep',
            trigger=pgtrigger.compiler.Trigger(name='mpps_status_fsm', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{IN PROGRESS:COMPLETED,IN PROGRESS:DISCONTINUED}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='0d86d370283f00e4a878c5aa8d27d4f2b8d13dd9', operation='UPDATE', pgid='pgtrigger_mpps_status_fsm_2f6f6', table='worklists_performedstep', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='readingitem',
            index=models.Index(condition=models.Q(('state', 'done'), _negated=True), fields=['priority_rank', 'due_at', 'id'], name='reading_open'),
        ),
        migrations.AddConstraint(
            model_name='readingitem',
            constraint=models.UniqueConstraint(condition=models.Q(('requested_procedure', None)), fields=('study',), name='reading_unmatched_once'),
        ),
        migrations.AddConstraint(
            model_name='readingitem',
            constraint=models.CheckConstraint(condition=models.Q(('requested_procedure', None), ('study', None), _negated=True), name='reading_item_is_about_something'),
        ),
        migrations.AddIndex(
            model_name='worklistattention',
            index=models.Index(condition=models.Q(('resolved_at', None)), fields=['site', 'opened_at'], name='worklists_attention'),
        ),
        migrations.AddConstraint(
            model_name='worklistattention',
            constraint=models.UniqueConstraint(condition=models.Q(('resolved_at', None)), fields=('kind', 'key'), name='worklists_worklistattention_one_open'),
        ),
    ]
