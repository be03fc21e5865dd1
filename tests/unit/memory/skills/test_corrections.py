"""A memory that was wrong, told from one that no longer holds."""

import pytest

from yiku.core.skill import FeedbackKind
from yiku.memory.skills.corrections import judgement


@pytest.mark.parametrize(
    "text",
    [
        "No, her birthday is on June 8.",
        "No! I said Shanghai.",
        "That's wrong, I live in Porto.",
        "You got my name wrong: it's Jon.",
        "I meant the other sister.",
        "It's not Mia, but Maja.",
        "My brother isn't in Oslo, he's in Bergen.",
        "The user's sister was born on June 8, not June 3.",
        "Corrected: the user lives in Porto.",
        "用户住在上海，不是北京。",
        "用户对榛子过敏，而不是花生。",
        "不对，是6月8号。",
        "你记错了，我住在上海。",
        "不是花生，是榛子。",
        "我没说过我喜欢咖啡。",
    ],
)
def test_corrections(text: str) -> None:
    assert judgement(text) == FeedbackKind.CORRECTED


@pytest.mark.parametrize(
    "text",
    [
        "That's not true.",
        "I never drink coffee.",
        "I've never been to Oslo.",
        "我从来没去过大理。",
        "根本没这回事。",
    ],
)
def test_contradictions(text: str) -> None:
    assert judgement(text) == FeedbackKind.CONTRADICTED


@pytest.mark.parametrize(
    "text",
    [
        "I moved to Shanghai.",
        "I live in Shanghai now.",
        "I no longer eat meat.",
        "No longer a smoker!",
        "I'm vegan now and never eat cheese any more; I never did like it much.",
        "I like tea and not only coffee but juice these days.",
        "The user is not married.",
        "My meeting is at 4 pm.",
        "No problem, the dentist is on Friday.",
        "我搬到上海了。",
        "我现在不喝咖啡了。",
        "我戒烟了，从不再抽。",
        "下周三开会。",
    ],
)
def test_changes_blame_nobody(text: str) -> None:
    assert judgement(text) is None
