"""What an operator imports: Prometheus's configuration and alerts, Grafana's dashboard."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.services import without

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
ALERTS = [
    rule for group in yaml.safe_load((CONFIG / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
NAMES = [rule["alert"] for rule in ALERTS]
DASHBOARD = json.loads((CONFIG / "grafana" / "dashboards" / "badge-worker.json").read_text())
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts.test.yml"),
    ],
    ids=" ".join,
)
def test_prometheus_itself_finds_nothing_wrong(arguments: tuple[str, ...]) -> None:
    done = promtool(*arguments)

    assert done.returncode == 0, done.stdout + done.stderr


EXPRESSIONS = [rule["expr"] for rule in ALERTS] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())
]


def test_prometheus_can_read_what_every_panel_asks(tmp_path: Path) -> None:
    asked = [expression.replace("$__rate_interval", "1m") for expression in EXPRESSIONS]
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(asked)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    done = promtool("check", "rules", str(tmp_path / "panels.yml"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_label_that_is_asked_for_is_explained(expression: str) -> None:
    """That what is explained is there, the end-to-end tests of monitoring see."""
    explained = explained_labels()
    everywhere = {"job", "instance", "le"}
    selectors = re.findall(r"\b((?:badge_worker_|up\b)\w*)(?:\{([^}]*)\})?", expression)
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", expression))))

    known = {metric: labels_of(metric, explained) | everywhere for metric, _ in selectors}
    asked = [(metric, set(re.findall(r"(\w+)(?==|!|~)", matchers))) for metric, matchers in selectors]

    assert selectors
    assert [(metric, labels) for metric, labels in asked if not labels <= known[metric]] == []
    assert grouped <= set().union(*known.values())


def labels_of(metric: str, explained: dict[str, set[str]]) -> set[str]:
    """Return the labels of a metric, or of the histogram that it is a part of."""
    return explained.get(metric) or explained.get(re.sub(r"_(bucket|sum|count)$", "", metric), set())


def explained_labels() -> dict[str, set[str]]:
    """Return the labels that the documentation gives each metric."""
    rows = re.findall(
        r"^\| (`badge_worker_[^|]*)\|([^|]*)\|", (ROOT / "docs" / "monitoring.md").read_text(), re.MULTILINE
    )
    return {
        metric: set(re.findall(r"`(\w+)`", labels))
        for metrics, labels in rows
        for metric in re.findall(r"`(\w+)`", metrics)
    }


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        without(
            "promtool",
            FileNotFoundError("promtool"),
            "install the machine's package prometheus, as .ci/run does",
        )
    return subprocess.run(["promtool", *arguments], cwd=CONFIG, capture_output=True, text=True, check=False)


def test_every_alert_is_shown_to_fire() -> None:
    tests = yaml.safe_load((CONFIG / "alerts.test.yml").read_text())["tests"]

    fired = {
        each["alertname"] for test in tests for each in test.get("alert_rule_test", []) if each["exp_alerts"]
    }

    assert fired == set(NAMES)


def test_every_alert_is_explained() -> None:
    headings = re.findall(r"^### (\S+)$", (ROOT / "docs" / "monitoring.md").read_text(), re.MULTILINE)

    assert headings == NAMES


def test_prometheus_looks_for_services_that_there_are() -> None:
    jobs = yaml.safe_load((CONFIG / "prometheus.yml").read_text())["scrape_configs"]

    for job in jobs:
        (found,) = job["dns_sd_configs"]
        (name,) = found["names"]
        assert SERVICES[name]["environment"]["BADGE_WORKER_METRICS_PORT"] == str(found["port"])


def test_grafana_finds_its_dashboard_and_its_data() -> None:
    provisioning = CONFIG / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "badge-worker.yml").read_text())["providers"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]

    mounts = {each.split(":")[0]: each.split(":")[1] for each in SERVICES["grafana"]["volumes"]}

    assert mounts["./config/grafana/dashboards"] == provider["options"]["path"]
    assert mounts["./config/grafana/provisioning"] == "/etc/grafana/provisioning"
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in SERVICES


def test_no_two_panels_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place: dict[str, Any] = panel["gridPos"]
        cells = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
