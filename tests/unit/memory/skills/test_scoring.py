"""What a prompt's outcome is worth: structure first, then what is found and what is kept."""

import pytest

from yiku.core.ids import PassageId
from yiku.core.skill import Op, Operation
from yiku.memory.skills.scoring import (
    Made,
    Probe,
    Wanted,
    answer_kept,
    encoding_score,
    lookup_score,
    texts_of,
)

SAID = Wanted(content="My sister Mia's birthday is on June 3.", questions=("When is Mia's day?",))
FULL = "User's sister Mia has her birthday on June 3."
VAGUE = "The user has a sister."


def made(*texts: str, problems: tuple[str, ...] = ()) -> Made:
    operations = tuple(Operation(op=Op.ADD, text=text) for text in texts)
    return Made(operations=operations, problems=problems, texts=texts)


def probed(text: str, place: int | None = 1) -> list[Probe]:
    question = SAID.questions[0]
    return [Probe(question=question, place=place, kept=answer_kept(SAID, question, [text]))]


def score(text: str, place: int | None = 1, problems: tuple[str, ...] = ()) -> float:
    return encoding_score(SAID, made(text, problems=problems), probed(text, place), ())


def test_a_memory_that_tells_the_answer_and_is_found_is_worth_more() -> None:
    assert score(FULL) > 0.9
    assert score(VAGUE) < 0.5


def test_what_is_not_found_is_worth_nothing_however_much_it_tells() -> None:
    assert score(FULL, place=4) == 0.0
    assert score(FULL, place=None) == 0.0


def test_nothing_valid_is_worth_nothing() -> None:
    none = Made(operations=(), problems=("no JSON",), texts=())
    assert encoding_score(SAID, none, [], ()) == 0.0


@pytest.mark.parametrize(
    ("text", "problems"), [(FULL, ("Operation 2: it holds a secret.",)), (f"{FULL} Aged 41.", ())]
)
def test_refused_operations_and_invented_numbers_cost_a_quarter(
    text: str, problems: tuple[str, ...]
) -> None:
    assert score(text, problems=problems) == pytest.approx(0.75 * score(FULL))


def test_a_number_that_a_known_memory_has_is_not_invented() -> None:
    text = f"{FULL} Aged 41."
    own = encoding_score(SAID, made(text), probed(text), ["Mia is 41."])
    assert own == pytest.approx(score(FULL))


def test_without_a_question_it_is_worth_what_it_keeps() -> None:
    plain = Wanted(content=SAID.content)
    assert encoding_score(plain, made(FULL), [], ()) > 0.9
    assert encoding_score(plain, made(VAGUE), [], ()) < 0.5


def test_the_words_that_were_drawn_on_are_what_counts() -> None:
    drawn = Wanted(content="We met Lee in Oslo; the deposit is 300 euros.", words="300 euros")
    assert encoding_score(drawn, made("The deposit is 300 euros."), [], ()) == 1.0
    assert encoding_score(drawn, made("The user met Lee in Oslo."), [], ()) == 0.0


def test_what_somebody_had_forgotten_had_better_not_be_written_again() -> None:
    unwanted = Wanted(content="Hi there, lovely weather!", unwanted="The weather is lovely.")
    nothing = Made(operations=(Operation(op=Op.NOTHING),), problems=(), texts=())
    assert encoding_score(unwanted, nothing, [], ()) == 1.0
    assert encoding_score(unwanted, made("The weather is lovely."), [], ()) == 0.0


def test_what_is_known_already_tells_it() -> None:
    known = {PassageId("passage-1"): FULL}
    says = Operation(op=Op.NOTHING, target=PassageId("passage-1"))
    assert texts_of([says], known) == (FULL,)
    assert texts_of([Operation(op=Op.NOTHING)], known) == ()
    assert texts_of([Operation(op=Op.DELETE, target=PassageId("passage-1"))], known) == ()


def test_a_lookup_is_worth_the_place_of_what_helped() -> None:
    assert lookup_score([None, 2, 5], ()) == 0.75
    assert lookup_score([1], ("A query was left out.",)) == 0.75
    assert lookup_score([None], ()) == 0.0
    assert lookup_score([], ()) == 0.0


def test_of_chinese_too_only_what_was_drawn_on_counts() -> None:
    """Pairs of characters tell less than words do; several tell enough."""
    told = Wanted(content="记一下：我的猫叫小米", questions=("我的猫叫什么？",), words="叫小 小米")
    assert answer_kept(told, told.questions[0], ["用户的猫叫小米"]) == 1
    assert answer_kept(told, told.questions[0], ["用户养猫"]) == 0
