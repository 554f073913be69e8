import django.contrib.postgres.indexes
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='AuditSeal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('first_id', models.BigIntegerField(unique=True)),
                ('last_id', models.BigIntegerField(unique=True)),
                ('count', models.PositiveIntegerField()),
                ('previous', models.CharField(max_length=64)),
                ('digest', models.CharField(max_length=64)),
                ('sealed_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='AuditEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('event', models.CharField(help_text='dotted, from apps.audit.registry', max_length=80)),
                ('action', models.CharField(choices=[('C', 'Create'), ('R', 'Read'), ('U', 'Update'), ('D', 'Delete'), ('E', 'Execute')], max_length=1)),
                ('outcome', models.PositiveSmallIntegerField(choices=[(0, 'Success'), (4, 'Minor Failure'), (8, 'Serious Failure'), (12, 'Major Failure')], default=0)),
                ('actor_key', models.CharField(max_length=100)),
                ('actor_display', models.CharField(max_length=200)),
                ('actor_roles', models.CharField(blank=True, max_length=200)),
                ('address', models.CharField(blank=True, max_length=100)),
                ('door', models.CharField(help_text='page, api, dicomweb, dimse, hl7, task', max_length=20)),
                ('patient_key', models.CharField(blank=True, max_length=20)),
                ('study_instance_uid', models.CharField(blank=True, max_length=64)),
                ('object_key', models.CharField(blank=True, max_length=100)),
                ('query', models.TextField(blank=True)),
                ('details', models.JSONField(default=dict)),
                ('fold_key', models.CharField(max_length=64, null=True, unique=True)),
            ],
            options={
                'indexes': [models.Index(fields=['patient_key', 'id'], name='audit_by_patient'), models.Index(fields=['study_instance_uid', 'id'], name='audit_by_study'), models.Index(fields=['actor_key', 'id'], name='audit_by_actor'), django.contrib.postgres.indexes.BrinIndex(fields=['at'], name='audit_by_time')],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditevent',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='0450288fcb55201b346da4e2d56d2293ba7aac03', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_00dfa', table='audit_auditevent', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='auditseal',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='58497631d50c091587f7dcd41f2a458611cec2af', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_3a3ab', table='audit_auditseal', when='BEFORE')),
        ),
    ]
