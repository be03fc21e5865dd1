"""Which language a prompt is written in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiku.core.language import language_of, language_spoken


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["I like tea."], "en"),
        (["用户喜欢编程和AI技术"], "zh"),
        (["使用 Python、FastAPI 和 Docker 部署服务"], "zh"),
        (["My colleague 王小明 moved to Beijing last year."], "en"),
        (["我是個有禮貌的助理"], "zh"),
        (["私は東京に住んでいます"], "en"),
        (["Ich trinke gern Tee."], "en"),
        (["", "用户叫李雷", "Ask him."], "zh"),
        ([], "en"),
        (["123 …"], "en"),
    ],
)
def test_prompts_are_chinese_for_chinese_texts_alone(texts: list[str], language: str) -> None:
    assert language_of(texts) == language


@given(st.text(st.sampled_from("12 ,。-"), max_size=10))
def test_without_a_word_the_default_holds(text: str) -> None:
    assert language_of([text], "zh") == "zh"


@pytest.mark.parametrize(
    ("newest_first", "language"),
    [
        (["👍", "好的", "I like tea."], "zh"),
        (["123", "……", "I like tea.", "好的"], "en"),
        (["👍"], "zh"),
        ([], "zh"),
    ],
)
def test_what_has_no_word_changes_no_language(newest_first: list[str], language: str) -> None:
    assert language_spoken(newest_first, "zh") == language
