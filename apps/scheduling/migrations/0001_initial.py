import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('orders', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Room',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=16)),
                ('name', models.CharField(max_length=64)),
                ('modality', models.CharField(max_length=16)),
                ('scheduled_station_ae_title', models.CharField(max_length=16)),
                ('description', models.CharField(blank=True, help_text='what tells it from its like: 1.5 T, wide bore', max_length=40)),
                ('position', models.PositiveSmallIntegerField(default=0)),
                ('active', models.BooleanField(default=True)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rooms', to='accounts.site')),
            ],
        ),
        migrations.CreateModel(
            name='OpeningHours',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('weekday', models.PositiveSmallIntegerField(help_text='0 is Monday')),
                ('opens', models.TimeField()),
                ('closes', models.TimeField()),
                ('room', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='opening_hours', to='scheduling.room')),
            ],
        ),
        migrations.CreateModel(
            name='Appointment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('period', django.contrib.postgres.fields.ranges.DateTimeRangeField(help_text='half open, UTC')),
                ('status', models.CharField(choices=[('proposed', 'proposed'), ('pending', 'pending'), ('booked', 'booked'), ('waitlist', 'waitlist'), ('arrived', 'arrived'), ('checked-in', 'checked-in'), ('fulfilled', 'fulfilled'), ('cancelled', 'cancelled'), ('noshow', 'noshow'), ('entered-in-error', 'entered-in-error')], default='booked', max_length=16)),
                ('booked_by', models.CharField(max_length=100)),
                ('booked_at', models.DateTimeField()),
                ('previous_period', django.contrib.postgres.fields.ranges.DateTimeRangeField(help_text='before a move; its undo goes back', null=True)),
                ('arrived_at', models.DateTimeField(null=True)),
                ('note', models.CharField(blank=True, max_length=300)),
                ('cancel_reason', models.CharField(blank=True, max_length=300)),
                ('version', models.PositiveIntegerField(default=1)),
                ('previous_room', models.ForeignKey(help_text='before a move', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='scheduling.room')),
                ('room', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='appointments', to='scheduling.room')),
            ],
        ),
        migrations.CreateModel(
            name='ScheduledStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('SCHEDULED', 'SCHEDULED'), ('ARRIVED', 'ARRIVED'), ('READY', 'READY'), ('STARTED', 'STARTED'), ('DISCONTINUED', 'DISCONTINUED'), ('DEPARTED', 'DEPARTED'), ('COMPLETED', 'COMPLETED'), ('CANCELED', 'CANCELED')], default='SCHEDULED', max_length=16)),
                ('status_source', models.CharField(blank=True, help_text='what moved it last: person, mpps, images, order', max_length=8)),
                ('started_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('scheduled_procedure_step_id', models.CharField(max_length=16, unique=True)),
                ('modality', models.CharField(max_length=16)),
                ('scheduled_station_ae_title', models.CharField(max_length=16)),
                ('scheduled_station_name', models.CharField(blank=True, max_length=16)),
                ('start_at', models.DateTimeField()),
                ('start_date', models.DateField(help_text='(0040,0002), wall date of the site')),
                ('start_time', models.TimeField(help_text='(0040,0003), wall time of the site')),
                ('performing_physician_name', models.CharField(blank=True, max_length=324)),
                ('description', models.CharField(blank=True, max_length=64)),
                ('appointment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='scheduled_steps', to='scheduling.appointment')),
                ('requested_procedure', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='scheduled_steps', to='orders.requestedprocedure')),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.site')),
            ],
        ),
        migrations.AddConstraint(
            model_name='room',
            constraint=models.UniqueConstraint(fields=('site', 'code'), name='room_once'),
        ),
        migrations.AddConstraint(
            model_name='openinghours',
            constraint=models.CheckConstraint(condition=models.Q(('opens__lt', models.F('closes'))), name='opens_before_it_closes'),
        ),
        migrations.AddConstraint(
            model_name='openinghours',
            constraint=models.CheckConstraint(condition=models.Q(('weekday__lte', 6)), name='weekday_known'),
        ),
        migrations.AddConstraint(
            model_name='appointment',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['proposed', 'pending', 'booked', 'waitlist', 'arrived', 'checked-in', 'fulfilled', 'cancelled', 'noshow', 'entered-in-error'])), name='appointment_status_known'),
        ),
        migrations.AddConstraint(
            model_name='appointment',
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(condition=models.Q(('status__in', ('proposed', 'pending', 'booked', 'arrived', 'checked-in', 'fulfilled'))), expressions=[('period', '&&'), ('room', '=')], name='no_double_booking'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='appointment',
            trigger=pgtrigger.compiler.Trigger(name='appointment_status_fsm', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{arrived:booked,arrived:cancelled,arrived:checked-in,arrived:fulfilled,booked:arrived,booked:cancelled,booked:checked-in,booked:entered-in-error,booked:fulfilled,booked:noshow,cancelled:booked,cancelled:entered-in-error,checked-in:booked,checked-in:cancelled,checked-in:fulfilled,noshow:booked,pending:booked,pending:cancelled,pending:entered-in-error,proposed:booked,proposed:cancelled,proposed:entered-in-error,waitlist:booked,waitlist:cancelled}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='af7e95512631814949b08a97c6ed443d4a5eb2e5', operation='UPDATE', pgid='pgtrigger_appointment_status_fsm_bd781', table='scheduling_appointment', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='scheduledstep',
            index=models.Index(fields=['scheduled_station_ae_title', 'start_date', 'start_time'], name='step_by_station'),
        ),
        migrations.AddIndex(
            model_name='scheduledstep',
            index=models.Index(fields=['start_date', 'modality'], name='step_by_date'),
        ),
        migrations.AddIndex(
            model_name='scheduledstep',
            index=models.Index(condition=models.Q(('status__in', ('SCHEDULED', 'ARRIVED', 'READY'))), fields=['site', 'start_at'], name='step_awaited'),
        ),
        migrations.AddConstraint(
            model_name='scheduledstep',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['SCHEDULED', 'ARRIVED', 'READY', 'STARTED', 'DISCONTINUED', 'DEPARTED', 'COMPLETED', 'CANCELED'])), name='sps_status_known'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='scheduledstep',
            trigger=pgtrigger.compiler.Trigger(name='sps_status_fsm', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{ARRIVED:CANCELED,ARRIVED:COMPLETED,ARRIVED:DISCONTINUED,ARRIVED:READY,ARRIVED:SCHEDULED,ARRIVED:STARTED,CANCELED:SCHEDULED,COMPLETED:DEPARTED,COMPLETED:STARTED,DISCONTINUED:STARTED,READY:CANCELED,READY:COMPLETED,READY:DISCONTINUED,READY:SCHEDULED,READY:STARTED,SCHEDULED:ARRIVED,SCHEDULED:CANCELED,SCHEDULED:COMPLETED,SCHEDULED:DISCONTINUED,SCHEDULED:READY,SCHEDULED:STARTED,STARTED:COMPLETED,STARTED:DEPARTED,STARTED:DISCONTINUED}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='5f53e112b242c61f85bdca5fa4a19c4d93a0c0cd', operation='UPDATE', pgid='pgtrigger_sps_status_fsm_5db1d', table='scheduling_scheduledstep', when='BEFORE')),
        ),
    ]
