"""@veche/client is small, has no dependencies, and what is committed in dist/ is what the sources say."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.programs import node_modules, skip
from tests.services.service import MissingError

from .driven import NODE, TYPESCRIPT

MAX_BYTES = 8_000  # of all modules together, by gzip
DIST = TYPESCRIPT / "dist"
PACKAGE = json.loads((TYPESCRIPT / "package.json").read_text())


@pytest.fixture(scope="module")
def compiler() -> Path:
    try:
        folder = node_modules(f"typescript@{PACKAGE['devDependencies']['typescript']}")
    except MissingError as missing:
        skip(missing)
    return folder / "node_modules" / "typescript" / "bin" / "tsc"


def run(compiler: Path, *words: object) -> None:
    done = subprocess.run([NODE, compiler, *map(str, words)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout


def test_it_is_small() -> None:
    modules = sorted(DIST.glob("*.js"))
    assert {path.stem for path in modules} == {path.stem for path in (TYPESCRIPT / "src").glob("*.ts")}
    size = len(gzip.compress(b"".join(path.read_bytes() for path in modules), 9))
    assert size < MAX_BYTES, f"{size} bytes"


def test_it_has_no_dependencies() -> None:
    assert not PACKAGE.get("dependencies")
    assert not PACKAGE.get("peerDependencies")
    for path in DIST.glob("*.js"):
        imported = re.findall(r"""(?:from|import\()\s*["']([^"']+)""", path.read_text())
        assert all(name.startswith("./") for name in imported), path.name


@pytest.mark.slow
def test_what_is_built_is_what_the_sources_say(compiler: Path, tmp_path: Path) -> None:
    project = ("--project", TYPESCRIPT / "tsconfig.json", "--outDir", tmp_path)
    for options in re.findall(r"tsc ([^&]+)", PACKAGE["scripts"]["build"]):
        run(compiler, *project, *options.split())
    built = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert built == {path.name: path.read_text() for path in DIST.iterdir()}, "run `npm ci && npm run build` there"


@pytest.mark.slow
def test_the_examples_of_the_readme_have_the_right_types(compiler: Path, tmp_path: Path) -> None:
    examples = re.findall(r"```ts\n(.*?)```", (TYPESCRIPT / "README.md").read_text(), re.DOTALL)
    assert examples
    package = tmp_path / "node_modules" / "@veche" / "client"
    package.mkdir(parents=True)
    (package / "package.json").write_text((TYPESCRIPT / "package.json").read_text())
    (package / "dist").symlink_to(DIST)
    for number, example in enumerate(examples):
        (tmp_path / f"example{number}.mts").write_text(example)
    (tmp_path / "wrong.mts").write_text('import { Client } from "@veche/client";\nnew Client({ url: 1 });\n')
    options = ("--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2023,dom")
    run(compiler, *options, *tmp_path.glob("example*.mts"))
    with pytest.raises(AssertionError, match="TS2322"):
        run(compiler, *options, tmp_path / "wrong.mts")
