import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='OutboxEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('aggregate', models.CharField(max_length=100)),
                ('payload', models.JSONField()),
                ('published_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='OutboxDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subscriber', models.CharField(max_length=200)),
                ('aggregate', models.CharField(max_length=100)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('due_at', models.DateTimeField()),
                ('done_at', models.DateTimeField(null=True)),
                ('dead_at', models.DateTimeField(null=True)),
                ('error', models.TextField(blank=True)),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='core.outboxevent')),
            ],
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='outboxevent',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;", hash='9fe6090f4fdb12df911aff975f9b1e191d5ea0bf', operation='UPDATE', pgid='pgtrigger_append_only_7768c', table='core_outboxevent', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='outboxdelivery',
            index=models.Index(condition=models.Q(('done_at', None)), fields=['subscriber', 'aggregate', 'id'], name='outbox_delivery_waiting'),
        ),
        migrations.AddConstraint(
            model_name='outboxdelivery',
            constraint=models.UniqueConstraint(fields=('event', 'subscriber'), name='outbox_delivery_once'),
        ),
    ]
