"""A translated memory is told from one that only keeps its foreign names."""

import pytest

from yiku.memory.skills.faithful import keeps_language

KEPT = [
    ("我的邮箱是 test@example.com", "用户邮箱: test@example.com"),
    ("我的邮箱是 test@example.com", "test@example.com"),
    ("我在Google做SWE,用Python和FastAPI", "用户在 Google 担任 SWE,使用 Python 和 FastAPI"),
    ("我在谷歌上班", "用户在Google工作"),
    ("我搬到臺北了", "用户搬到台北了"),
    ("My name is 王小明", "User's name is 王小明"),
    ("I love 火锅 and I live in 北京", "The user loves 火锅 and lives in 北京"),
    ("I moved to Shanghai", "The user lives in Shanghai"),
    ("私は東京に住んでいます", "ユーザーは東京に住んでいる"),
    ("東京に引っ越した", "東京"),
    ("J'habite à Paris avec ma sœur et je suis médecin", "L'utilisateur est médecin à Paris"),
    ("Ich wohne in Berlin und bin Arzt", "Der Nutzer wohnt in Berlin und ist Arzt"),
    ("Я живу в Москве", "Пользователь живёт в Москве"),
    ("저는 서울에 살아요", "사용자는 서울에 산다"),
    ("42", "42"),
    ("ok", "User agrees"),
]
TRANSLATED = [
    ("我的邮箱是 test@example.com", "User email: test@example.com"),
    ("我喜欢火锅,住在北京", "The user likes 火锅 and lives in 北京"),
    ("我喜欢喝茶", "User likes tea"),
    ("我喜欢喝茶", "ユーザーはお茶が好きです"),
    ("I live in Beijing and I love tea", "用户住在北京,喜欢喝茶"),
    ("My email is test@example.com", "用户邮箱: test@example.com"),
    ("私は東京に住んでいます", "The user lives in Tokyo"),
    ("私は東京に住んでいます", "用户住在东京"),
    (
        "J'habite à Paris et je suis médecin dans un hôpital",
        "The user is a doctor and lives in Paris",
    ),
    ("Ich wohne in Berlin und bin Arzt", "The user lives in Berlin and is a doctor"),
    ("I live in Paris and I am a doctor", "L'utilisateur est un médecin et vit dans Paris"),
    ("Я живу в Москве", "The user lives in Moscow"),
    ("저는 서울에 살아요", "The user lives in Seoul"),
]


@pytest.mark.parametrize(("original", "made"), KEPT)
def test_the_same_language_is_kept(original: str, made: str) -> None:
    assert keeps_language(original, made)


@pytest.mark.parametrize(("original", "made"), TRANSLATED)
def test_another_language_is_seen(original: str, made: str) -> None:
    assert not keeps_language(original, made)


def test_one_endless_word_is_looked_at_once() -> None:
    word = "a" * 200_000
    assert keeps_language(word, word)
    assert keeps_language("写信给 ann.lee+x@例子.example 或 https://例子.example/a。", "写信给安。")
