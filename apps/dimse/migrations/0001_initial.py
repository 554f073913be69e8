from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='AssociationRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('association', models.UUIDField(unique=True)),
                ('started_at', models.DateTimeField()),
                ('seconds', models.FloatField(help_text='from the connection to its end')),
                ('address', models.CharField(max_length=64)),
                ('calling_ae', models.CharField(blank=True, max_length=16)),
                ('called_ae', models.CharField(blank=True, max_length=16)),
                ('actor', models.CharField(blank=True, max_length=100)),
                ('implementation', models.CharField(blank=True, max_length=64)),
                ('contexts', models.JSONField(default=list, help_text='[id, abstract syntax, [transfer syntaxes], result, accepted]')),
                ('messages', models.JSONField(default=dict, help_text="{'C-STORE 0000H': 12}")),
                ('bytes_in', models.BigIntegerField(default=0)),
                ('bytes_out', models.BigIntegerField(default=0)),
                ('end', models.CharField(choices=[('released', 'released'), ('rejected', 'rejected by us'), ('aborted-by-peer', 'aborted by the peer'), ('aborted-by-us', 'aborted by us'), ('lost', 'connection lost'), ('timed-out', 'timed out'), ('shut-down', 'we shut down'), ('probe', 'nothing was sent')], max_length=16)),
                ('rejection', models.CharField(blank=True, help_text='source.reason, PS3.8 9.3.4', max_length=8)),
                ('words', models.CharField(help_text='how it ended, as the log says it', max_length=300)),
                ('in_message', models.BooleanField(default=False, help_text='ended within a message')),
                ('failed', models.BooleanField(default=False, help_text='a person may want to look at it')),
            ],
            options={
                'indexes': [models.Index(fields=['-started_at', '-id'], name='association_by_time'), models.Index(fields=['calling_ae', '-started_at'], name='association_by_ae'), models.Index(condition=models.Q(('failed', True)), fields=['-started_at'], name='association_failed')],
            },
        ),
        migrations.CreateModel(
            name='PortProbe',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.CharField(max_length=64)),
                ('minute', models.DateTimeField()),
                ('count', models.PositiveIntegerField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('address', 'minute'), name='port_probe_once_a_minute')],
            },
        ),
    ]
