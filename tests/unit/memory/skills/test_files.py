"""Memory skills as files: read, refused with file, line and rule, written again."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fixtures.skilled import draft, looking
from yiku.core.errors import InvalidSkill
from yiku.core.skill import SkillType
from yiku.memory.skills import files, template
from yiku.memory.skills.files import Shelf

GOOD = """\
---
name: mine
kind: encoding
description:
  en: Mine.
  zh: 我的。
intent_keywords:
  en: [mine, " my own "]
  zh: [我的, mine]
---

Write it down.
{{ content }}
"""


def write(folder: Path, text: str, name: str = "mine.md") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read(tmp_path: Path) -> None:
    read = files.read(write(tmp_path, GOOD))

    assert read == draft(
        template="Write it down.\n{{ content }}", intent_keywords=("mine", "my own", "我的")
    )


@pytest.mark.parametrize(
    "one",
    [
        draft(),
        looking(),
        draft(intent_keywords=("a: b", "#x", "'", "yes", "12", "忆")),
        *files.base(),
    ],
    ids=lambda one: one.name,
)
def test_what_is_written_reads_the_same(one: files.SkillDraft) -> None:
    assert files.parse(files.write(one)) == one


def test_line_ends_marks_and_short_forms_are_taken(tmp_path: Path) -> None:
    short = GOOD.replace("description:\n  en: Mine.\n  zh: 我的。", "description: 我的。")
    short = short.replace('  en: [mine, " my own "]\n  zh: [我的, mine]\n', "").replace(
        "intent_keywords:", "intent_keywords: [a]"
    )
    path = tmp_path / "mine.md"
    path.write_bytes(b"\xef\xbb\xbf" + short.replace("\n", "\r\n").encode())

    read = files.read(path)

    assert read.description == {"zh": "我的。"}
    assert read.intent_keywords == ("a",)
    assert read.prompt_template == "Write it down.\n{{ content }}"


# What is wrong with a file, on which line, and the rule it breaks
BAD = [
    ("", 1, "front-matter"),
    ("{{ content }}", 1, "front-matter"),
    ("---\nname: mine\n", 1, "front-matter"),
    ("---\n---\n{{ content }}", 1, "yaml"),
    ("---\n- a\n---\n{{ content }}", 1, "yaml"),
    (GOOD.replace("en: Mine.", "en: [Mine."), 6, "yaml"),
    (GOOD.replace("name: mine", "name: &a mine\nx: *a"), 1, "yaml"),
    (GOOD.replace("name: mine", "name: \x07"), 1, "yaml"),
    (GOOD.replace("name: mine", "name: " + "[" * 3000 + "]" * 3000), 1, "yaml"),
    (GOOD.replace("name: mine", "name: !!python/name:os.system"), 2, "yaml"),
    (GOOD.replace("name: mine", "name: 2026-13-45"), 1, "yaml"),
    (GOOD.replace("name: mine", "name: mine\n? [a]\n: b"), 3, "field"),
    (GOOD.replace("name: mine", "name: mine\nname: other"), 3, "field"),
    (GOOD.replace("name: mine", "name: mine\nprompt: x"), 3, "field"),
    (GOOD.replace("name: mine\n", ""), 1, "field"),
    (GOOD.replace("kind: encoding\n", ""), 1, "field"),
    (GOOD.replace("name: mine", "name: My Skill"), 2, "name"),
    (GOOD.replace("name: mine", "name: ../mine"), 2, "name"),
    (GOOD.replace("name: mine", "name: 我的"), 2, "name"),
    (GOOD.replace("name: mine", "name: 12"), 2, "name"),
    (GOOD.replace("name: mine", "name: " + "a" * 65), 2, "name"),
    (GOOD.replace("kind: encoding", "kind: decoding"), 3, "kind"),
    (GOOD.replace("kind: encoding", "kind: [encoding]"), 3, "kind"),
    (GOOD.replace("kind: encoding", "kind: true"), 3, "kind"),
    (GOOD.replace("  zh: 我的。", "  fr: A moi."), 4, "description"),
    (GOOD.replace("  zh: 我的。", "  zh: 3"), 4, "description"),
    (GOOD.replace("  zh: 我的。", "  zh: ' '"), 4, "description"),
    (GOOD.replace("Mine.", "x" * 1001), 4, "description"),
    (GOOD.replace("[我的, mine]", "[我的, 1]"), 7, "intent_keywords"),
    (GOOD.replace("[我的, mine]", "我的"), 7, "intent_keywords"),
    (GOOD.replace("[我的, mine]", f"[{'x' * 65}]"), 7, "intent_keywords"),
    (GOOD.replace("我的, mine", ", ".join(f"w{n}" for n in range(201))), 7, "intent_keywords"),
    (GOOD.replace("{{ content }}", "{{ content"), 13, "syntax"),
    (GOOD.replace("{{ content }}", "{{ contents }}"), 13, "unknown-variable"),
    (GOOD.replace("{{ content }}", ""), 12, "needed-variable"),
    (GOOD.replace("kind: encoding", "kind: retrieval"), 13, "unknown-variable"),
    (GOOD.replace("{{ content }}", "{{ content.__class__ }}"), 13, "attribute"),
    (GOOD + "x" * 70_000, 1, "size"),
]


@pytest.mark.parametrize(
    ("text", "line", "rule"), BAD, ids=[f"{r}-{n}" for n, (_, _, r) in enumerate(BAD)]
)
def test_a_file_that_cant_be_used_is_refused_with_line_and_rule(
    tmp_path: Path, text: str, line: int, rule: str
) -> None:
    path = write(tmp_path, text)

    with pytest.raises(InvalidSkill) as refused:
        files.read(path)

    assert (refused.value.facts["rule"], refused.value.facts["line"]) == (rule, line)
    assert refused.value.message.startswith(f"{path}:{line}: ")
    assert refused.value.message.endswith(f"(rule {rule}).")
    assert len(refused.value.message) < 500


def test_bytes_that_are_no_text_and_what_is_no_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.md"
    path.write_bytes(GOOD.encode().replace(b"Write", b"\xff"))
    with pytest.raises(InvalidSkill, match=r"mine.md:12: it isn't UTF-8 \(rule encoding\)"):
        files.read(path)
    with pytest.raises(InvalidSkill, match=r"none.md:1: it can't be read: No such file"):
        files.read(tmp_path / "none.md")


def test_a_draft_without_a_file_is_held_to_the_same_rules() -> None:
    kept = files.check(draft(template="\n{{ content }}\n", intent_keywords=(" a ", "a", "")))
    assert (kept.prompt_template, kept.intent_keywords) == ("{{ content }}", ("a",))
    for wrong in (
        draft("My Skill"),
        draft("a" * 65),
        draft("a\n"),
        draft(description={}),
        draft(description={"fr": "x"}),
        draft(intent_keywords=("x" * 65,)),
        draft(template="nothing"),
    ):
        with pytest.raises(InvalidSkill):
            files.check(wrong)


def test_a_folder_is_loaded_and_a_bad_file_keeps_no_other_from_use(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "b.md")
    write(tmp_path, GOOD, "c.md")
    write(tmp_path, GOOD.replace("mine\nk", "a\nk").replace("{{ content }}", ""), "a.md")
    write(tmp_path, GOOD.replace("mine\nk", "ours\nk"), "d.md")
    for ignored in ("README.md", ".hidden.md", "_draft.md", "other.txt"):
        write(tmp_path, "nothing", ignored)
    (tmp_path / "folder.md").mkdir()

    loaded = files.load(tmp_path, {"ours": "Yiku"})

    assert [one.name for one in loaded.drafts] == ["mine"]
    bad, taken, ours = loaded.problems
    assert bad.startswith(f"{tmp_path / 'a.md'}:12: a skill of the kind 'encoding' needs")
    assert taken.startswith(
        f"{tmp_path / 'c.md'}:2: the name 'mine' is taken by {tmp_path / 'b.md'}"
    )
    assert ours == f"{tmp_path / 'd.md'}:2: the name 'ours' is taken by Yiku (rule name-taken)."
    assert files.load(tmp_path / "none") == files.Loaded((), ())


def test_the_base_skills_are_those_of_the_specification_in_both_languages() -> None:
    kinds = {one.name: one.skill_type for one in files.base()}
    assert kinds == {
        "exact_match": SkillType.RETRIEVAL,
        "fact_extraction": SkillType.ENCODING,
        "preference_capture": SkillType.ENCODING,
        "semantic_search": SkillType.RETRIEVAL,
    }
    for one in files.base():
        assert set(one.description) == {"en", "zh"}
        assert any(word.isascii() for word in one.intent_keywords)
        assert any(not word.isascii() for word in one.intent_keywords)
        values = {"content": "忆", "query": "忆", "known": [], "now": "2026-05-07"}
        names = template.ALLOWED[one.skill_type]
        en, zh = (
            template.render(
                one.prompt_template,
                {name: {**values, "language": language}[name] for name in names},
            )
            for language in ("en", "zh")
        )
        assert en.replace("忆", "").isascii()
        assert "：" in zh
        assert "user" not in zh


def test_the_folder_is_read_again_when_a_file_changes(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "skills")
    ours = files.base()
    assert shelf.loaded().drafts == ours
    assert (shelf.loaded().drafts, shelf.edition) == (ours, 1)

    (tmp_path / "skills").mkdir()
    path = write(tmp_path / "skills", GOOD)
    assert [one.name for one in shelf.loaded().drafts[len(ours) :]] == ["mine"]
    assert shelf.edition == 2

    write(tmp_path / "skills", GOOD.replace("Mine.", "Yours"))
    os.utime(path, ns=(1, 1))
    assert shelf.loaded().drafts[-1] == replace(
        files.read(path), description={"en": "Yours", "zh": "我的。"}
    )
    write(tmp_path / "skills", GOOD, "twice.md")
    assert shelf.edition == 3
    assert len(shelf.loaded().problems) == 1

    path.unlink()
    assert shelf.loaded().problems == ()
