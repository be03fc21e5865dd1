"""Role templates: Yiku's own, and files of the user's."""

from pathlib import Path

import pytest

from yiku.core.errors import Invalid, InvalidFile, TemplateNotFound
from yiku.core.role import RoleType
from yiku.memory.roles.templates import (
    get_role_template,
    get_role_template_set,
    template_names,
    template_sets,
    template_text,
)
from yiku.memory.text import language

OWN = {"personal_assistant", "professional_assistant", "technical_expert", "creative_assistant"}


@pytest.mark.parametrize("name", sorted(OWN))
def test_each_template_knows_both_languages(name: str) -> None:
    made = get_role_template(name)

    assert made.role_id == name
    assert isinstance(made.role_type, RoleType)
    for texts, least in ((made.examples, 12), (made.keywords, 5)):
        chinese = sum(language(one).startswith("zh") for one in texts)
        assert chinese >= least
        assert len(texts) - chinese >= least
    assert len(made.role_description.splitlines()) == 2
    assert get_role_template(name, language="zh").role_name != made.role_name


def test_each_set_begins_with_its_namesake() -> None:
    sets = template_sets()

    assert set(template_names()) == OWN
    assert set(sets) == {f"{one}_set" for one in OWN - {"technical_expert"}} | {
        "technical_expert_set",
        "all",
    }
    for name, members in sets.items():
        assert set(members) <= OWN
        assert name == "all" or name == f"{members[0]}_set"
        assert [one.role_id for one in get_role_template_set(name)] == members
    assert set(sets["all"]) == OWN


MINE = """
role_type = "technical"
max_memory_size = 7
[fr]
name = "Jardinier"
description = "Le jardin et les plantes"
keywords = ["plantes"]
"""


def test_a_users_own_files_come_before_yikus(tmp_path: Path) -> None:
    (tmp_path / "gardener.toml").write_text(MINE)
    (tmp_path / "technical_expert.toml").write_text(MINE)
    (tmp_path / "sets.toml").write_text('[mine]\nroles = ["gardener", "creative_assistant"]\n')

    made = get_role_template("gardener", folder=tmp_path)

    assert (made.role_name, made.max_memory_size) == ("Jardinier", 7)
    assert get_role_template("technical_expert", folder=tmp_path).role_name == "Jardinier"
    assert get_role_template("technical_expert").role_name != "Jardinier"
    assert template_names(folder=tmp_path)[0] == "gardener"
    names = [one.role_id for one in get_role_template_set("mine", folder=tmp_path)]
    assert names == ["gardener", "creative_assistant"]
    assert template_text("gardener", folder=tmp_path) == MINE


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[en",
        "[en]\nname = 'x'\n",
        "[en]\ndescription = 'x'\ncolour = 'red'\n",
        "colour = 'red'\n[en]\ndescription = 'x'\n",
        "activation_threshold = 3\n[en]\ndescription = 'x'\n",
        "[en]\ndescription = 'x'\nkeywords = 'y'\n",
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.toml").write_text(content)

    with pytest.raises(InvalidFile, match="mine"):
        get_role_template("mine", folder=tmp_path)


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    for read in (get_role_template, template_text):
        with pytest.raises(InvalidFile, match="mine"):
            read("mine", folder=tmp_path)


@pytest.mark.parametrize("name", ["nobody", "sets", "../sets", "", "a/b", "."])
def test_what_is_not_there_is_told_with_what_is(tmp_path: Path, name: str) -> None:
    with pytest.raises(TemplateNotFound, match="technical_expert"):
        get_role_template(name, folder=tmp_path)
    with pytest.raises(TemplateNotFound, match="all"):
        get_role_template_set(name, folder=tmp_path)


def test_a_language_that_a_template_has_not_is_refused() -> None:
    with pytest.raises(Invalid, match="in en and zh, not in 'fr'"):
        get_role_template("personal_assistant", language="fr")
