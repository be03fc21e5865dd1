"""Packages that tools ask for: installed from wheels, once, by those who may."""

import asyncio
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from yiku.app import App
from yiku.core.errors import InvalidTool, NotAllowed
from yiku.core.tenant import LOCAL_ACTOR, Scope
from yiku.core.tool import Requirement, Returned, Tool, ToolDraft
from yiku.tools.packages import Packages
from yiku.tools.registry import Toolbox

WRITER = replace(LOCAL_ACTOR, scope=Scope.WRITE)
SOURCE = '''
def greet() -> str:
    """Greet."""
    import hellopack
    return hellopack.WORD
'''


def wheel(folder: Path, version: str) -> None:
    about = f"hellopack-{version}.dist-info"
    with zipfile.ZipFile(folder / f"hellopack-{version}-py3-none-any.whl", "w") as file:
        file.writestr("hellopack.py", f"WORD = 'hello {version}'\n")
        file.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: hellopack\nVersion: {version}\n"
        )
        file.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{about}/RECORD", "")


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place pip looks in."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    wheel(folder, "1.0")
    wheel(folder, "2.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


@pytest.fixture
def box(app: App, tmp_path: Path) -> Toolbox:
    return replace(app.tools, packages=Packages(tmp_path / "env", "admin"))


async def needs(box: Toolbox, name: str, version: str | None = None) -> Tool:
    wanted = (Requirement(name=name, version=version),)
    return await box.upsert(LOCAL_ACTOR, ToolDraft(source_code=SOURCE, pip_requirements=wanted))


async def greeting(box: Toolbox, tool: Tool, actor: object = LOCAL_ACTOR) -> object:
    ran = await box.run(actor, tool, {})
    assert isinstance(ran.outcome, Returned), ran
    return ran.outcome.value


def installs(box: Toolbox) -> list[Path]:
    assert box.packages is not None
    return [one for one in box.packages.home.iterdir() if one.is_dir()]


@pytest.mark.usefixtures("shelf")
async def test_a_set_is_installed_once_and_versions_stay_apart(box: Toolbox) -> None:
    first = await needs(box, "hellopack", "1.0")
    at_once = await asyncio.gather(*(greeting(box, first) for _ in range(4)))
    assert at_once == ["hello 1.0"] * 4
    assert len(installs(box)) == 1
    newest = await needs(box, "hellopack")
    assert await greeting(box, newest) == "hello 2.0"
    assert await greeting(box, first) == "hello 1.0"
    assert len(installs(box)) == 2


@pytest.mark.usefixtures("shelf")
async def test_who_may_not_install_uses_what_is_installed(box: Toolbox) -> None:
    tool = await needs(box, "hellopack")
    with pytest.raises(NotAllowed, match="isn't installed yet"):
        await box.run(WRITER, tool, {})
    assert await greeting(box, tool) == "hello 2.0"
    assert await greeting(box, tool, WRITER) == "hello 2.0"
    assert box.packages is not None
    off = replace(box, packages=replace(box.packages, installing="off"))
    assert await greeting(off, tool, WRITER) == "hello 2.0"
    other = await needs(box, "hellopack", "1.0")
    with pytest.raises(InvalidTool, match="YIKU_TOOL_REQUIREMENTS=off"):
        await off.run(LOCAL_ACTOR, other, {})


async def test_what_cannot_be_installed_is_told_and_leaves_nothing(
    box: Toolbox, shelf: Path
) -> None:
    tool = await needs(box, "hellopack", "9.9")
    with pytest.raises(InvalidTool, match="No matching distribution"):
        await box.run(LOCAL_ACTOR, tool, {})
    # A source archive would run its code outside of the sandbox.
    (shelf / "hellopack-9.9.tar.gz").write_bytes(b"no wheel")
    with pytest.raises(InvalidTool, match="Only packages that come as wheels"):
        await box.run(LOCAL_ACTOR, tool, {})
    assert installs(box) == []


async def test_paths_and_npm_are_refused(box: Toolbox) -> None:
    tool = await needs(box, "shelf/hellopack-1.0-py3-none-any.whl")
    with pytest.raises(InvalidTool, match="no name of a package"):
        await box.run(LOCAL_ACTOR, tool, {})
    wanted = ToolDraft(source_code=SOURCE, npm_requirements=(Requirement(name="@a/b"),))
    other = await box.upsert(LOCAL_ACTOR, wanted)
    with pytest.raises(InvalidTool, match="@a/b of npm"):
        await box.run(LOCAL_ACTOR, other, {})
