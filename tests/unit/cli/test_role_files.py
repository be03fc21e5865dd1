"""Roles as files."""

import json
from pathlib import Path

import pytest

from yiku.cli.role_files import roles_in, template_of, toml
from yiku.core.errors import InvalidFile
from yiku.core.role import EmbeddingRoleConfig
from yiku.memory.roles.templates import get_role_template

ROWS = [
    {"role_id": "cook", "role_description": "cooking and food", "keywords": ["soup"]},
    {"role_id": "gärtner", "role_description": "花园", "max_memory_size": 7},
]


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("rows", [ROWS, {"roles": ROWS}, {"role": ROWS}])
def test_json_is_a_list_of_roles_or_an_object_with_one(tmp_path: Path, rows: object) -> None:
    made = roles_in(written(tmp_path, "roles.json", json.dumps(rows)), "en")

    assert [one.role_id for one in made] == ["cook", "gärtner"]
    assert made[0].keywords == ("soup",)
    assert made[1].max_memory_size == 7


@pytest.mark.parametrize("name", ["role", "roles"])
def test_toml_has_a_table_for_each_role(tmp_path: Path, name: str) -> None:
    text = "\n".join(
        f"[[{name}]]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in row.items())
        for row in ROWS
    )

    made = roles_in(written(tmp_path, "roles.toml", text), "en")

    assert [one.role_id for one in made] == ["cook", "gärtner"]


def test_a_template_file_is_a_role_named_like_the_file(tmp_path: Path) -> None:
    text = '[en]\nname = "Cook"\ndescription = "food"\n[zh]\nname = "厨师"\ndescription = "做饭"\n'
    file = written(tmp_path, "cook.toml", text)

    [english], [chinese] = roles_in(file, "en"), roles_in(file, "zh")

    assert (english.role_id, english.role_name) == ("cook", "Cook")
    assert chinese.role_name == "厨师"
    assert english.role_description == "food\n做饭"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{", "is not JSON"),
        ("a.json", "[]", "no roles"),
        ("a.json", "3", "no roles"),
        ("a.json", "{}", "no roles"),
        ("a.json", "[3]", "role 1 is no object"),
        ("a.json", '[{"role_id": "x"}]', "role_description"),
        ("a.json", '[{"role_id": "x", "role_description": ""}]', "`role_description`"),
        ("a.json", '[{"role_id": "x", "role_description": "y", "colour": 1}]', "colour"),
        ("a.toml", "role = ", "is not TOML"),
        ("a.toml", "role = []", "no roles"),
        ("a.toml", "colour = 1", "colour"),
        ("a.toml", '[[role]]\nrole_id = "x"\nrole_description = "y"\nkeywords = "z"', "`keywords`"),
        ("a.toml", "[en]\nname = 'x'", "needs the description"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(InvalidFile, match=said):
        roles_in(written(tmp_path, name, text), "en")


@pytest.mark.parametrize("name", ["personal_assistant", "technical_expert"])
def test_a_written_template_is_read_as_the_same_role(tmp_path: Path, name: str) -> None:
    config = get_role_template(name)
    file = tmp_path / f"{name}.toml"

    file.write_text(template_of(config.as_json(), "en", file), encoding="utf-8")

    assert roles_in(file, "en") == [config]


def test_odd_texts_come_back_from_toml(tmp_path: Path) -> None:
    odd = EmbeddingRoleConfig(
        role_id="odd",
        role_description='a "quote"\nand \\ a line\ttab \x7f',
        keywords=["'", "\u2028", "忆"],
    )
    file = tmp_path / "odd.toml"

    file.write_text(template_of(odd.as_json(), "zh", file), encoding="utf-8")

    assert roles_in(file, "zh") == [odd]
    assert toml([]) == "[]"
