import django.db.models.deletion
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
            model_name='exchangeattention',
            index=models.Index(condition=models.Q(('resolved_at', None)), fields=['site', 'opened_at'], name='exchange_attention'),
        ),
        migrations.AddConstraint(
            model_name='exchangeattention',
            constraint=models.UniqueConstraint(condition=models.Q(('resolved_at', None)), fields=('kind', 'key'), name='exchange_exchangeattention_one_open'),
        ),
    ]
