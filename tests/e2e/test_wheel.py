"""The wheel that users install holds all it needs, and works outside this repository."""

import os
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd="/",  # not the repository: nothing of it must be found by chance
        env={**os.environ, "PYTHONPATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", folder]
    run(sys.executable, "-m", "pip", "wheel", *options, ROOT)
    (built,) = folder.glob("yiku-*.whl")
    return built


@pytest.fixture(scope="module")
def yiku(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, from the wheel in an environment of its own.

    The packages it needs are those of the environment that runs the tests, so nothing is
    downloaded; only this repository isn't among them.
    """
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin/python"
    target = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # Plain lines of a .pth file are put on the path, without reading the .pth files there.
    Path(target, "outer.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    options = ["--no-deps", "--no-index", "--quiet", wheel]
    run(sys.executable, "-m", "pip", "--python", python, "install", *options)
    where = run(python, "-c", "import yiku; print(yiku.__file__)")
    assert where.startswith(target)
    return folder / "bin/yiku"


def test_the_wheel_holds_code_data_and_licence_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    # Git's list would miss files not yet committed: what counts is what lies in the folder.
    expected = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src/yiku").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert expected <= names
    assert {"yiku/py.typed", "yiku/providers/presets.toml", "yiku/store/migrations/env.py"} <= names
    assert any(name.startswith("yiku/store/migrations/versions/") for name in names)
    others = {name for name in names - expected if ".dist-info/" not in name}
    assert others == set()
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_installed_command_remembers_and_finds(yiku: Path, fresh_home: Path) -> None:
    home = {"YIKU_HOME": str(fresh_home)}

    assert "0.1.0" in run(yiku, "--version", **home)
    run(yiku, "add", "我对花生过敏", "--user", "ann", **home)
    run(yiku, "add", "The cat is called Momo.", "--user", "ann", **home)

    assert "花生" in run(yiku, "search", "能吃什么零食?", "--user", "ann", **home)
    assert "Momo" in run(yiku, "search", "what is the cat's name", "--user", "ann", **home)
