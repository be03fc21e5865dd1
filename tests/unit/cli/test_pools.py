"""Data sets, as they are and as they are broken."""

from yiku.cli.pools import locomo_pool, qa_pool, repaired, session_time

IDS = {"D8:6", "D9:17", "D11:26", "D30:5"}


def test_malformed_evidence_is_mended() -> None:
    assert repaired(["D8:6; D9:17"], IDS) == ("D8:6", "D9:17")
    assert repaired(["D:11:26"], IDS) == ("D11:26",)
    assert repaired(["D30:05", "D30:5"], IDS) == ("D30:5",)
    assert repaired(["D", "D99:1", ""], IDS) == ()


def test_a_session_has_its_time() -> None:
    assert session_time("1:56 pm on 8 May, 2023") == "2023-05-08T13:56:00+00:00"


def test_sessions_come_in_their_order_with_what_was_shared() -> None:
    turn = {"speaker": "Ann", "text": "look"}
    sample = {
        "conversation": {
            "session_10": [{**turn, "dia_id": "D10:1"}],
            "session_10_date_time": "1:00 am on 2 May, 2023",
            "session_2": [{**turn, "dia_id": "D2:1", "blip_caption": "a cat"}],
            "session_2_date_time": "1:00 am on 1 May, 2023",
            "session_3_date_time": "1:00 am on 1 May, 2023",
        },
        "qa": [{"question": "q", "evidence": ["D2:1"], "category": 1}],
    }

    pool = locomo_pool(sample, 7)

    assert pool.name == "7"
    assert [one["metadata"]["id"] for one in pool.passages] == ["D2:1", "D10:1"]
    assert pool.passages[0]["text"] == "look [shares a cat]"
    assert pool.questions[0].category == "multi-hop"


def test_what_a_pool_leaves_empty_is_left_out() -> None:
    pool = qa_pool(
        {
            "pool": "p",
            "passages": [{"id": "a", "text": "t", "speaker": "", "date": "", "session": 0}],
            "questions": [{"q": "q", "evidence": ["a", "b"]}, {"q": "r", "evidence": ["b"]}],
        }
    )

    assert pool.passages == [{"text": "t", "conversation": "0", "metadata": {"id": "a"}}]
    assert [(q.text, q.evidence, q.category) for q in pool.questions] == [("q", ("a",), "all")]
