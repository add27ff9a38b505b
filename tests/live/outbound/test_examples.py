"""The examples are what they say: configurations that their programs take, and that fit each other."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from sort_drift.live import config
from sort_drift.live.outbound.webhooks import check
from sort_drift.live.settings import Address
from tests.live.outbound.programs import needs
from tests.shared_data import ROOT

EXAMPLES = ROOT / "examples" / "live"
ALERTS = (ROOT / "docs" / "how-to" / "alerts.md").read_text(encoding="utf-8")


def test_the_configuration_is_taken_as_it_is(tmp_path: Path) -> None:
    """Without any file of yours; its webhooks may lead where they lead."""
    found = config.load(tmp_path, file=EXAMPLES / "sort-drift.toml", given={})
    assert (found.otlp_http, found.otlp_grpc) == (Address("127.0.0.1", 14318), None)
    assert found.webhooks
    check(found.webhooks, found.webhook_hosts)


def test_the_configuration_is_taken_with_everything_switched_on(tmp_path: Path) -> None:
    """Each line that is switched off is a line that would be taken."""
    text = (EXAMPLES / "sort-drift.toml").read_text(encoding="utf-8")
    text = text.replace("#: ", "").replace("# hosts", "hosts")
    text = text.replace('# and above, in [live]: webhook_hosts = ["hooks.example.com"]\n', "")
    text = text.replace("[live]\n", '[live]\nwebhook_hosts = ["hooks.example.com"]\n')
    text = re.sub(r"^# (\[\[|url|form|token_file)", r"\1", text, flags=re.MULTILINE)
    for name in set(re.findall(r"/etc/sort-drift/([\w.-]+)", text)):
        (tmp_path / name).write_text("secret\n")
    file = tmp_path / "sort-drift.toml"
    file.write_text(text.replace("/etc/sort-drift", str(tmp_path)))
    assert not re.search(r"^#\s?\w+ = ", text, re.MULTILINE)
    found = config.load(tmp_path, file=file, given={})
    assert (found.token, found.baseline) == ("secret", tmp_path / "baseline.parquet")
    assert [(hook.form, bool(hook.token)) for hook in found.webhooks] == [
        ("alertmanager", False),
        ("generic", True),
    ]
    check(found.webhooks, found.webhook_hosts)


def test_the_collector_fans_out_to_where_the_service_listens() -> None:
    """Both have every signal, from one receiver; ports do not collide, and nothing samples before us."""
    collector: Any = YAML(typ="safe").load((EXAMPLES / "otel-collector.yaml").read_text())
    ours = tomllib.loads((EXAMPLES / "sort-drift.toml").read_text())["live"]
    assert collector["exporters"]["otlp_http/sort_drift"]["endpoint"] == f"http://{ours['otlp_http']}"
    listening = {p["endpoint"] for p in collector["receivers"]["otlp"]["protocols"].values()}
    assert not listening & {ours["otlp_http"], ours["page"]}
    pipelines = collector["service"]["pipelines"]
    for name, pipeline in pipelines.items():
        for part in ("receivers", "processors", "exporters"):
            assert set(pipeline[part]) <= collector[part].keys(), name
        assert pipeline["exporters"] == [f"otlp_http/{name.partition('/')[2]}"]
    assert {name.partition("/")[0] for name in pipelines} == {"traces", "logs", "metrics"}
    assert len(pipelines) == 6
    assert (
        collector["processors"]["batch"]["send_batch_max_size"]
        <= config.load(Path("x"), file=None, given={}).limits.spans
    )


def test_prometheus_scrapes_the_page(tmp_path: Path) -> None:
    """The address is the page's, and the job has the name that the alerts look for."""
    scraping: Any = YAML(typ="safe").load((EXAMPLES / "prometheus.yml").read_text())
    (job,) = scraping["scrape_configs"]
    page = tomllib.loads((EXAMPLES / "sort-drift.toml").read_text())["live"]["page"]
    assert job["static_configs"][0]["targets"] == [page]
    assert f'job="{job["job_name"]}"' in (EXAMPLES / "alerts.rules.yml").read_text()


@needs("systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """Every line of it is known; the program and the user would have to be there."""
    unit = (EXAMPLES / "sort-drift.service").read_text()
    program = shutil.which("true") or ""
    (tmp_path / "sort-drift.service").write_text(unit.replace("/opt/sort-drift/bin/sort-drift", program))
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "sort-drift.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "sort-drift.service" in line]
    assert said == []


def test_the_unit_starts_what_the_page_says() -> None:
    """The command of the unit is one of the documentation; a stop has the time to drain."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((EXAMPLES / "sort-drift.service").read_text())
    service = unit["Service"]
    assert " live --store " in service["ExecStart"]
    assert service["User"] != "root"
    drain = config.load(Path("x"), file=None, given={}).drain_s
    assert int(service["TimeoutStopSec"]) > drain + 5
    assert service["RestartPreventExitStatus"] == "2"


def test_the_schema_is_one() -> None:
    """The bodies are checked against it elsewhere (test_webhooks.py)."""
    import json

    schema = json.loads((EXAMPLES / "webhook.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    "name",
    [
        rule["alert"]
        for group in YAML(typ="safe").load((EXAMPLES / "alerts.rules.yml").read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ],
)
def test_every_alert_has_its_runbook(name: str) -> None:
    """The annotation leads to a section of its own, which says what to do."""
    heading = f"### {name}\n"
    assert heading in ALERTS
    assert len(ALERTS.partition(heading)[2].partition("\n### ")[0].strip()) > 80
    assert f"runbook: docs/how-to/alerts.md#{name.lower()}" in (EXAMPLES / "alerts.rules.yml").read_text()


def test_every_metric_is_in_the_docs() -> None:
    """By name, with what it is."""
    from sort_drift.live.outbound import metrics
    from tests.live.outbound.fleets import agent, alarm, running, state

    board = running(agent("a", state(opened=alarm()), learning=3))
    names = re.findall(
        r"^# TYPE (sort_drift_\w+) ", metrics.render(board, store=ROOT)[0].decode(), re.MULTILINE
    )
    assert len(names) > 40
    for name in names:
        assert f"`{name}`" in ALERTS, name
