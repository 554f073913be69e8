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
        ('studies', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Report',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('confidentiality', models.CharField(choices=[('N', 'N'), ('R', 'R'), ('V', 'V')], default='N', max_length=1)),
                ('status', models.CharField(choices=[('registered', 'registered'), ('preliminary', 'preliminary'), ('final', 'final'), ('appended', 'appended'), ('corrected', 'corrected'), ('cancelled', 'cancelled')], default='registered', max_length=16)),
                ('draft_sections', models.JSONField(default=list, help_text='[{key, title, text}], as being written')),
                ('draft_revision', models.PositiveIntegerField(default=0)),
                ('draft_saved_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField()),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reports', to='patients.patient')),
                ('requested_procedures', models.ManyToManyField(related_name='reports', to='orders.requestedprocedure')),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.site')),
                ('studies', models.ManyToManyField(related_name='reports', to='studies.study')),
            ],
        ),
        migrations.CreateModel(
            name='ReportTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, unique=True)),
                ('modality', models.CharField(blank=True, max_length=16)),
                ('body_part', models.CharField(blank=True, max_length=16)),
                ('sections', models.JSONField(help_text='[{key, title, text}]')),
                ('procedure', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='templates', to='orders.procedure')),
            ],
        ),
        migrations.CreateModel(
            name='ReportVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('status', models.CharField(max_length=16)),
                ('sections', models.JSONField()),
                ('signed_by_display', models.CharField(max_length=200)),
                ('signed_at', models.DateTimeField()),
                ('reason', models.CharField(blank=True, help_text='of a correction or addendum', max_length=300)),
                ('previous_digest', models.CharField(blank=True, max_length=64)),
                ('digest', models.CharField(max_length=64)),
                ('report', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='reports.report')),
                ('signed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.AddConstraint(
            model_name='report',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['registered', 'preliminary', 'final', 'appended', 'corrected', 'cancelled'])), name='report_status_known'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='report',
            trigger=pgtrigger.compiler.Trigger(name='report_status_fsm', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."status", \':\', NEW."status") = ANY(\'{appended:cancelled,appended:corrected,corrected:appended,corrected:cancelled,final:appended,final:cancelled,final:corrected,preliminary:cancelled,preliminary:final,registered:cancelled,registered:final,registered:preliminary}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."status" IS DISTINCT FROM NEW."status") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "status" from "%" to "%" on table %\', OLD."status", NEW."status", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='fc4784733bc9e67d47336d4d431039e27dfae5a2', operation='UPDATE', pgid='pgtrigger_report_status_fsm_1cb7b', table='reports_report', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='reportversion',
            constraint=models.UniqueConstraint(fields=('report', 'number'), name='report_version_once'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='reportversion',
            trigger=pgtrigger.compiler.Trigger(name='append_only', sql=pgtrigger.compiler.UpsertTriggerSql(func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;", hash='549012fa50262550a9205e0b42c797254d5f540f', operation='UPDATE OR DELETE', pgid='pgtrigger_append_only_696ec', table='reports_reportversion', when='BEFORE')),
        ),
    ]
