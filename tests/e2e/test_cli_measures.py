"""`yiku bench` and `yiku demo`."""

import json

from tests.e2e.conftest import Cli


def test_locomo_is_measured_with_its_broken_evidence_mended(cli: Cli) -> None:
    turns = ["I adopted a puppy called Biscuit", "The marathon is in November", "Pass the salt"]
    talk = {
        "sample_id": "conv-1",
        "conversation": {
            "speaker_a": "Ann",
            "speaker_b": "Bo",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Ann", "dia_id": f"D1:{n}", "text": text}
                for n, text in enumerate(turns, 1)
            ],
        },
        "qa": [
            {"question": "What is the puppy called?", "evidence": ["D:1:01"], "category": 4},
            {"question": "When is the marathon?", "evidence": ["D1:2; D1:9"], "category": 2},
            {"question": "Whose is the boat?", "evidence": ["D1:3"], "category": 5},
            {"question": "Nothing is known of this", "evidence": [], "category": 1},
        ],
    }
    (cli.folder / "locomo.json").write_text(json.dumps([talk]))

    found = cli("bench", "locomo", "locomo.json", "--misses", "m.jsonl", "--json").json
    table = cli("bench", "locomo", "locomo.json", "--conversations", "0").out

    assert (found["pools"], found["passages"], found["headline"]["questions"]) == (1, 3, 2)
    assert found["headline"]["recall@1"] == 100
    assert set(found["categories"]) == {"single-hop", "temporal", "adversarial"}
    assert (cli.folder / "m.jsonl").read_text() == ""
    assert "all without adversarial ones" in table
    cli("bench", "locomo", "locomo.json", "--conversations", "0-4", code=1)
    (cli.folder / "bad.json").write_text("[{}]")
    cli("bench", "locomo", "bad.json", code=1)


def test_pools_of_questions_are_measured(cli: Cli) -> None:
    pool = {
        "pool": "p",
        "lang": "zh",
        "passages": [
            {
                "id": "a",
                "text": "我对花生过敏",
                "speaker": "安",
                "date": "2026-09-03",
                "session": "1",
            },
            {"id": "b", "text": "豆包是一只橘猫", "speaker": "", "date": "", "session": 0},
        ],
        "questions": [
            {"q": "对什么过敏？", "evidence": ["a"], "category": "probe"},
            {"q": "橘猫叫什么？", "evidence": ["b", "unknown"], "category": "probe"},
        ],
    }
    (cli.folder / "qa.jsonl").write_text(json.dumps(pool) + "\n\n", encoding="utf-8")

    found = cli("bench", "qa", "qa.jsonl", "--json").json

    assert found["headline"]["questions"] == 2
    assert found["headline"]["recall@1"] == found["headline"]["MRR"] == 100
    (cli.folder / "bad.jsonl").write_text("{}\n")
    assert "line 1" in cli("bench", "qa", "bad.jsonl", code=1).err


def test_the_demo_tells_its_tally_and_keeps_nothing(cli: Cli) -> None:
    """Whether enough is found is for the measurements to say; that the demo is honest, for us."""
    ran = cli("demo", "--json", code=None)
    played = ran.json
    shown = cli("demo", code=None).out

    assert (played["turns"], len(played["questions"])) == (65, 14)
    assert played["changed_fact_right"]
    assert played["forgotten_right"]
    places = [one["place"] for one in played["questions"]]
    assert played["first"] == places.count(1)
    assert played["among_first_three"] == sum(p is not None and p <= 3 for p in places)
    assert ran.code == (0 if played["among_first_three"] >= 10 else 1)
    roles = played["roles"]
    assert (len(roles["routed"]), len(roles["gated"])) == (8, 4)
    right = [(one["roles"] or [None])[0] == one["expected"] for one in roles["routed"]]
    assert roles["routed_right"] == sum(right)
    assert "能吃什么零食？" in shown
    assert f"{roles['routed_right'] + roles['gated_right']} of 12 as expected" in shown
    assert f"{played['first']} of 14 first" in shown
    assert 'add "我对花生过敏" --user ann' in shown  # by the name the program was called by
    assert cli("archive", "list", "--json").json == {"archives": []}


ROUTED = [
    ("Refactor the parser so that the null pointer exception goes away", ["technical_expert"]),
    ("Fix the SQL index, the database query takes four seconds", ["technical_expert"]),
    ("给数据库加索引，修复接口的空指针异常", ["technical_expert"]),
    ("My knee hurts, I have to see the doctor on Friday", ["personal_assistant"]),
    ("我对花生过敏，周末要带妈妈去医院", ["personal_assistant"]),
    ("Dinner with my sister on her birthday", ["personal_assistant"]),
    ("Send the client the quarterly report before the meeting", ["professional_assistant"]),
    ("周五之前把季度报告发给客户", ["professional_assistant"]),
    ("Prepare the slides for the budget meeting", ["professional_assistant"]),
    ("Write a short story about a lighthouse, in verse", ["creative_assistant"]),
    ("给新品牌想一句广告语和海报创意", ["creative_assistant"]),
    ("Sketch a logo with warm colours for the poster", ["creative_assistant"]),
    ("The moon is 384,400 kilometres away", []),
    ("长江是亚洲最长的河流", []),
]


def test_routing_is_measured_beside_its_baseline(cli: Cli) -> None:
    rows = [{"text": text, "roles": roles} for text, roles in ROUTED]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (cli.folder / "routing.jsonl").write_text(lines, encoding="utf-8")

    found = cli("bench", "routing", "routing.jsonl", "--json").json
    learned = cli("bench", "routing", "routing.jsonl", "--learn", "1", "--json").json
    table = cli("bench", "routing", "routing.jsonl")

    assert (found["texts"], found["learned"], len(found["roles"])) == (14, 0, 4)
    assert set(found["experts"]) == set(found["cosine"]) == {"en", "zh", "all"}
    assert found["experts"]["all"]["n"] == 14
    assert found["experts"]["all"]["accuracy@1"] > 80
    assert found["cosine"]["all"]["routed@1"] < found["experts"]["all"]["routed@1"]
    assert set(found["median_ms"]) == {
        f"{routing}_{kind}" for routing in ("experts", "cosine") for kind in ("route", "gate")
    }
    assert (learned["experts"]["all"]["n"], len(learned["seeds"])) == (10, 5)
    assert "baseline" in table.out
    assert "medians with the text's embedding" in table.err
    assert cli("archive", "list", "--json").json == {"archives": []}


def test_routing_by_roles_of_a_file(cli: Cli) -> None:
    described = [
        {"role_id": "cook", "role_description": "Recipes and cooking", "examples": ["boil eggs"]},
        {"role_id": "garden", "role_description": "Plants, trees and flowers in the garden"},
    ]
    (cli.folder / "roles.json").write_text(json.dumps(described))
    row = {"text": "Bake the bread for forty minutes", "lang": "en", "roles": ["cook"]}
    (cli.folder / "one.jsonl").write_text(json.dumps(row))

    found = cli("bench", "routing", "one.jsonl", "--roles", "roles.json", "--json").json

    assert found["roles"] == ["cook", "garden"]
    assert found["experts"]["en"]["accuracy@1"] == 100
    wrong = cli("bench", "routing", "one.jsonl", code=1).err
    assert "cook" in wrong
    assert "technical_expert" in wrong
    both = ("--roles", "roles.json", "--set", "all")
    cli("bench", "routing", "one.jsonl", *both, code=2)
    cli("bench", "routing", "one.jsonl", "--set", "nobody", code=3)
    few = cli("bench", "routing", "one.jsonl", "--roles", "roles.json", "--learn", "1", code=1)
    assert "leaves none" in few.err


def test_what_memory_skills_cost_is_measured(cli: Cli) -> None:
    found = cli("bench", "skills", "--json").json

    saving = {(one["encoding"], one["llm_selection"]): one for one in found["saving"]}
    nothing = {"calls": 0, "tokens": 0}
    for (encoding, selects), one in saving.items():
        asked = {"off": [], "background": ["later"], "request": ["waiting"]}[encoding]
        assert [name for name in ("waiting", "later") if one[name] != nothing] == asked
        for name in asked:
            assert (one[name]["calls"] > 1_000) == selects
            assert one[name]["tokens"] > 100 * one[name]["calls"]
    assert len(saving) == 6
    looking = {(one["refine"], one["llm_selection"]): one for one in found["looking_up"]}
    calls = {name: one["waiting"]["calls"] for name, one in looking.items()}
    assert calls["never", False] == 0 < calls["auto", False] < calls["always", False] == 1_000
    assert all(calls[refine, True] > calls[refine, False] for refine, _ in looking)
    took = found["took"]
    assert 0 < took["controller_us"] < 1_000
    assert took["added_ms"] <= 1
