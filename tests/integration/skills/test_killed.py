"""A process is killed while it encodes: nothing was done, or all of it; and it can be run again."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.contract.skills.thinking import Thinking, add, supersede
from tests.servers.scripted_chat import Answer, ScriptedChat
from tests.servers.warm import Started, Warm
from yiku.app import App
from yiku.core.memory import Hit
from yiku.core.skill import EncodingStatus
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import search
from yiku.memory.archival import Place
from yiku.memory.skills import encode
from yiku.store import encodings

HOME = Place(owner="ann")
PROGRAM = Path(__file__).with_name("encode_process.py")
BEIJING, MOVED = "我住在北京", "我搬到上海了,养了一只猫"


def child(warm: Warm, app: App, model: ScriptedChat, encoding_id: str, folder: Path) -> Started:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("YIKU_")}
    settings = {
        "YIKU_HOME": str(app.settings.home),
        "YIKU_DATABASE_URL": app.settings.database,
        "YIKU_MODEL": str(app.settings.model),
        "YIKU_MODEL_BASE_URL": model.url,
        "YIKU_MODEL_API_KEY": "sk-test",
    }
    return warm.start(
        [encoding_id],
        cwd=folder,
        env={**kept, **settings},
        errors=folder / "errors",
        program=PROGRAM,
    )


@pytest.mark.parametrize("after_s", [None, 0.0, 0.02, 0.05, 0.1])
async def test_a_kill_leaves_all_or_nothing(
    *,
    app: App,
    model: ScriptedChat,
    thinking: Thinking,
    after_s: float | None,
    warm: Warm,
    tmp_path: Path,
) -> None:
    """`after_s`: the kill comes so long after the model's answer; None: before it goes out."""
    thinking.encodes[BEIJING] = [add("用户住在北京")]
    thinking.encodes[MOVED] = [supersede("用户住在北京", "用户住在上海"), add("用户养了一只猫")]
    first = await encode.save(app.skills, LOCAL_ACTOR, HOME, BEIJING)
    assert first.encoding is not None
    await encode.run(app.skills, LOCAL_ACTOR, first.encoding.id)
    saved = await encode.save(app.skills, LOCAL_ACTOR, HOME, MOVED)
    assert saved.encoding is not None
    encoding_id = saved.encoding.id

    def kills(request: dict[str, Any]) -> Answer:
        answer = thinking(request)
        if after_s is None:
            process.kill()
        else:
            threading.Timer(after_s, process.kill).start()
        return answer

    model.respond = kills
    process = child(warm, app, model, encoding_id, tmp_path)
    process.communicate(60)
    model.respond = thinking

    async def texts() -> set[str]:
        hits: list[Hit] = await search.search(app.memory, LOCAL_ACTOR, [HOME], "用户住在")
        return {hit.passage.text for hit in hits}

    left = await app.database.read(LOCAL_ACTOR, lambda tx: encodings.get(tx, encoding_id))
    assert left is not None
    whole = {"用户住在上海", "用户养了一只猫"}
    if left.status is EncodingStatus.PENDING:
        assert await texts() == {"用户住在北京", MOVED}
    else:
        assert after_s is not None
        assert await texts() == whole
    done = await encode.run(app.skills, LOCAL_ACTOR, encoding_id)
    assert done is not None
    assert done.status is EncodingStatus.ENCODED
    assert await texts() == whole
    assert len(await app.database.read(LOCAL_ACTOR, lambda tx: encodings.items(tx, done))) == 4
