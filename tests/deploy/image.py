"""Builds what the image contains in a folder, with the commands of the Dockerfile, and runs it as the image would.

`/opt/veche`, `/srv/veche` and `/build` are folders below that one. If the tests run as root, what runs has the account
of the image; all but the folder of the data belongs to root, so it is as read-only as in the image.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .dockerfile import ROOT, environment, stages, texts

BUILD, FINAL = stages()
PLACES = ("/build", "/opt/veche", "/srv/veche")
ACCOUNT = 10001


@dataclass(frozen=True)
class Image:
    """What the image contains, below a folder."""

    root: Path

    def here(self, text: str) -> str:
        """Return a text of the Dockerfile with the places of this machine."""
        for place in PLACES:
            text = text.replace(place, f"{self.root}{place}")
        return text

    @property
    def data(self) -> Path:
        return Path(self.here("/srv/veche/data"))

    def build(self) -> None:
        """Run the build stage, and copy what the final stage copies."""
        for place in PLACES:
            Path(self.here(place)).mkdir(parents=True)
        build = Path(self.here("/build"))
        for instruction in BUILD:
            if instruction.name == "COPY":
                *sources, target = instruction.text.split(" ")
                for source in sources:
                    _copy(ROOT / source, build / target if target != "./" else build / source)
            elif instruction.name == "RUN":
                env = environment(BUILD)
                del env["UV_NO_CACHE"]  # the cache of this machine saves a minute
                self._run(["sh", "-euc", self.here(instruction.text)], build, env)
        for text in texts(FINAL, "COPY"):
            if not text.startswith("--from="):
                source, target = text.split(" ")
                _copy(ROOT / source, Path(self.here(target)))
        self.data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(self.data, ACCOUNT, ACCOUNT)

    def _run(self, words: list[str], folder: Path, env: Mapping[str, str]) -> None:
        path = os.pathsep.join((str(Path(python()).parent), os.environ["PATH"]))
        done = subprocess.run(
            words, cwd=folder, env=os.environ | {"PATH": path} | dict(env), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return the environment in a container of the image."""
        own = {name: self.here(value) for name, value in environment(FINAL).items()}
        own["PATH"] = own["PATH"].replace("$PATH", os.environ["PATH"])
        return own | dict(more)

    def words(self, *command: str) -> list[str]:
        """Return a command as the account of the image."""
        if os.geteuid() != 0:
            return [*command]
        account = str(ACCOUNT)
        return ["setpriv", f"--reuid={account}", f"--regid={account}", "--clear-groups", *command]

    def start(self, more: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        """Run the entry point with the usual arguments."""
        command = json.loads(texts(FINAL, "ENTRYPOINT")[0]) + json.loads(texts(FINAL, "CMD")[0])
        with log.open("wb") as file:
            return subprocess.Popen(
                self.words(*command), cwd=self.here("/srv/veche"), env=self.environment(more), stdout=file, stderr=file
            )

    def execute(self, *command: str, more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Do what `docker exec` does: run a command in the environment and the folder of the image."""
        return subprocess.run(
            self.words(*map(self.here, command)),
            cwd=self.here("/srv/veche"),
            env=self.environment(more),
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def health_check(self) -> list[str]:
        return list(json.loads(texts(FINAL, "HEALTHCHECK")[0].partition("CMD ")[2]))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def python() -> str:
    """Return a Python that the account of the image may run: that of these tests may be in root's own folder."""
    own = Path(sys.base_prefix) / "bin" / "python3"
    if os.geteuid() != 0:
        return str(own)
    reached = all(folder.stat().st_mode & 0o001 for folder in own.parents)
    return str(own) if reached else "/usr/bin/python3"
