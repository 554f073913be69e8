import apps.exchange.domain
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(help_text='oru, status', max_length=16)),
                ('reference', models.CharField(help_text='plain key, such as report-version:12', max_length=100)),
                ('ordering_key', models.CharField(help_text='sent in order of id within it', max_length=100)),
                ('control_id', models.CharField(help_text='MSH-10', max_length=20, unique=True)),
                ('payload', models.TextField()),
                ('status', models.CharField(choices=[('queued', 'Queued'), ('done', 'Done'), ('dead', 'Dead')], default='queued', max_length=8)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('due_at', models.DateTimeField()),
                ('last_error', models.CharField(blank=True, max_length=500)),
                ('acknowledgement', models.TextField(blank=True)),
                ('created_at', models.DateTimeField()),
                ('done_at', models.DateTimeField(null=True)),
                ('peer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='accounts.hl7peer')),
            ],
        ),
        migrations.CreateModel(
            name='StorageCommitment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('transaction_uid', models.CharField(help_text="(0008,1195), the peer's", max_length=64)),
                ('ae_title', models.CharField(help_text='who asked', max_length=16)),
                ('association', models.CharField(help_text='in which it was asked', max_length=36)),
                ('references', models.JSONField(help_text='[SOP class, SOP instance] of each')),
                ('failures', models.JSONField(default=list, help_text='[SOP class, SOP instance, (0008,1197)]')),
                ('state', models.CharField(choices=[(apps.exchange.domain.CommitmentState['REQUESTED'], apps.exchange.domain.CommitmentState['REQUESTED']), (apps.exchange.domain.CommitmentState['CHECKED'], apps.exchange.domain.CommitmentState['CHECKED']), (apps.exchange.domain.CommitmentState['REPORTED'], apps.exchange.domain.CommitmentState['REPORTED']), (apps.exchange.domain.CommitmentState['UNDELIVERED'], apps.exchange.domain.CommitmentState['UNDELIVERED'])], default='REQUESTED', max_length=16)),
                ('requested_at', models.DateTimeField()),
                ('checked_at', models.DateTimeField(null=True)),
                ('done_at', models.DateTimeField(null=True)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('due_at', models.DateTimeField()),
                ('give_up_at', models.DateTimeField()),
                ('last_error', models.CharField(blank=True, max_length=500)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.site')),
            ],
        ),
        migrations.CreateModel(
            name='ExchangeAttention',
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
                ('delivery', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='attention', to='exchange.delivery')),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.site')),
                ('commitment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='attention', to='exchange.storagecommitment')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('status', 'queued')), fields=['peer', 'ordering_key', 'id'], name='delivery_waiting'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(fields=('kind', 'reference', 'peer'), name='delivery_once'),
        ),
        migrations.AddIndex(
            model_name='storagecommitment',
            index=models.Index(condition=models.Q(('state__in', ['REQUESTED', 'CHECKED'])), fields=['due_at', 'id'], name='commitment_waiting'),
        ),
        migrations.AddIndex(
            model_name='storagecommitment',
            index=models.Index(fields=['ae_title', '-id'], name='commitment_by_ae'),
        ),
        migrations.AddConstraint(
            model_name='storagecommitment',
            constraint=models.UniqueConstraint(fields=('ae_title', 'transaction_uid'), name='commitment_transaction_once'),
        ),
        migrations.AddConstraint(
            model_name='storagecommitment',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', [apps.exchange.domain.CommitmentState['REQUESTED'], apps.exchange.domain.CommitmentState['CHECKED'], apps.exchange.domain.CommitmentState['REPORTED'], apps.exchange.domain.CommitmentState['UNDELIVERED']])), name='commitment_state_known'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='storagecommitment',
            trigger=pgtrigger.compiler.Trigger(name='commitment_state_fsm', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{CHECKED:REPORTED,CHECKED:REQUESTED,CHECKED:UNDELIVERED,REPORTED:REQUESTED,REQUESTED:CHECKED,REQUESTED:UNDELIVERED,UNDELIVERED:REQUESTED}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='f55dd5d686487438f80c2bfc7c449d70405a9dc1', operation='UPDATE', pgid='pgtrigger_commitment_state_fsm_1ef3b', table='exchange_storagecommitment', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='exchangeattention',
            index=models.Index(condition=models.Q(('resolved_at', None)), fields=['site', 'opened_at'], name='exchange_attention'),
        ),
        migrations.AddConstraint(
            model_name='exchangeattention',
            constraint=models.UniqueConstraint(condition=models.Q(('resolved_at', None)), fields=('kind', 'key'), name='exchange_exchangeattention_one_open'),
        ),
    ]
