"""The prompts made to mislead: enough of each class, no two alike, counted as they are routed."""

from collections import Counter

from bench.routing_adversarial import Behaviour, behaviours, misleading, table
from farebox.learn import shipped

MODEL = shipped.weights("A")


def test_every_class_has_enough_prompts_and_none_comes_twice() -> None:
    assert min(Counter(one.kind for one in misleading()).values()) >= 25
    assert len({one.prompt for one in misleading()}) == len(misleading())


def test_what_was_made_from_a_plain_prompt_differs_from_it() -> None:
    made = [one for one in misleading() if one.plain is not None]
    assert {one.kind.partition(",")[0] for one in made} == {
        "injected claims",
        "case and white-space noise",
    }
    assert all(one.prompt != one.plain for one in made)


def test_counts_add_up() -> None:
    found = behaviours(MODEL)
    assert sum(one.prompts for one in found) == len(misleading())
    for one in found:
        assert max(one.familiar, one.strong, one.hard, one.made) <= one.prompts
        assert one.hard_to_weak <= one.hard
        assert one.lowered <= one.moved <= one.made
        assert one.lowered <= one.strong_plain <= one.made


def test_the_table_has_a_line_for_each_class() -> None:
    one = Behaviour(
        kind="short but hard",
        prompts=4,
        familiar=3,
        strong=1,
        hard=4,
        hard_to_weak=3,
        made=0,
        moved=0,
        strong_plain=0,
        lowered=0,
    )
    assert table([one])[-1] == "| short but hard | 4 | 3 | 1 | 4, 3 | - | - |"
