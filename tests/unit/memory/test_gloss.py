"""Chinese texts through the real dictionary."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from yiku.memory.gloss import Gloss, Words, load, segment


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gloss") / "deep" / "gloss.tsv"
    load(path)
    return path


@pytest.fixture(scope="module")
def gloss(cache: Path) -> Gloss:
    return Gloss(cache)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我很喜欢弹钢琴", ["I", "like", "play", "piano"]),
        ("我对花生过敏", ["peanut"]),
        ("去年去了南京", ["last year", "Nanjing"]),
        ("她在医院工作", ["she", "hospital", "work"]),
        ("我喜歡看電影", ["like", "watch", "movie"]),
        ("用 iPhone 15 拍照", ["iPhone", "15", "picture"]),
    ],
)
def test_the_gloss_has_the_words_that_matter(gloss: Gloss, text: str, words: list[str]) -> None:
    glossed = gloss(text)
    assert all(word in glossed for word in words), glossed


def test_traditional_and_simplified_have_one_gloss(gloss: Gloss) -> None:
    assert gloss("我對花生過敏，喜歡音樂") == gloss("我对花生过敏，喜欢音乐")


@pytest.mark.parametrize("text", ["", "plain English, café", "Привет", "かな", "\ud800", "\0"])
def test_a_text_without_chinese_comes_back_as_it_is(gloss: Gloss, text: str) -> None:
    assert gloss(text) is text


def test_grammar_words_and_unknown_characters_leave_nothing(gloss: Gloss) -> None:
    assert gloss("的了吗") == ""


def test_the_fewest_and_longest_words_are_found() -> None:
    known = ["中华", "人民", "中华人民", "人民的", "的", "中", "华", "人", "民"]
    words = Words.of({word: f"<{word}>" for word in known})
    assert segment("中华人民的", words) == [("中华人民", "<中华人民>"), ("的", "<的>")]
    assert segment("龘人民", words) == [("龘", ""), ("人民", "<人民>")]


def test_words_are_found_that_stand_at_a_place_in_a_text() -> None:
    words = Words.of({"a": "1", "ab": "2", "abcd": "3", "b": "4", "é": "5"})

    def found(text: str, start: int) -> dict[int, str]:
        return {length: words.gloss_at(place) for length, place in words.beginning(text, start)}

    assert found("abcde", 0) == {1: "1", 2: "2", 4: "3"}
    assert found("abc", 0) == {1: "1", 2: "2"}
    assert found("abc", 1) == {1: "4"}
    assert found("xé", 0) == {}
    assert found("xé", 1) == {1: "5"}
    assert Words.of({}).beginning("x", 0) == []


def test_a_damaged_cache_is_made_anew(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "gloss.tsv"
    whole = cache.read_bytes()
    for kept in (0, 5, 500, len(whole) // 2):
        path.write_bytes(whole[:kept])
        assert Gloss(path)("花生") == "peanut"
        assert path.read_bytes() == whole


def test_threads_may_share_it(cache: Path) -> None:
    shared = Gloss(cache)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(shared, ["我喜欢咖啡"] * 64)) == {shared("我喜欢咖啡")}


def test_the_compiled_dictionary_loads_fast(cache: Path) -> None:
    def timed() -> float:
        start = time.thread_time()
        load(cache)
        return time.thread_time() - start

    assert min(timed() for _ in range(3)) < 0.3
