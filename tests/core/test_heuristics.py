"""Usual prompts of every task are told apart by their own words, in several languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core import heuristics
from farebox.core.features import features_of
from farebox.core.heuristics import HEURISTICS, LABELLED_CHARS_MAX, difficulty_of, guess
from tests.support.policies import make_call

TRACE = "Why?\nTraceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'"


@pytest.mark.parametrize(
    ("prompt", "name", "task"),
    [
        (TRACE, "stack-trace", "code"),
        ("Please write a small Python function that adds two numbers.", "asks-code", "code"),
        ("Refactor this class so that it can be tested.", "asks-code", "code"),
        ("Schreibe eine kleine Funktion, die Primzahlen zählt.", "asks-code", "code"),
        ("Classify this ticket: my card was charged twice.", "label-set", "classification"),
        ("What is the sentiment of: 'never again'?", "label-set", "classification"),
        ("Klassifiziere diese Anfrage.", "label-set", "classification"),
        ("Extract vendor, date and total of this invoice: ...", "schema", "extraction"),
        ("Summarize the meeting notes below in three points.", "summary", "summarization"),
        ("Fasse den folgenden Text zusammen.", "summary", "summarization"),
        ("Résume ce texte en deux phrases.", "summary", "summarization"),
        ("Answer the question. Context: [1] The bridge opened in 1932.", "sources", "rag"),
        ("[1] The bridge opened in 1932.\nWhen did it open?", "sources", "rag"),
        ("What happens here?\n```\nx <- 1\n```", "code-block", "code"),
        (
            "A train leaves at 9:00. How many hours until it arrives at 17:30?",
            "reasoning",
            "reasoning",
        ),
        ("Good morning!", "short-plain", ""),
    ],
)
def test_a_usual_prompt_is_recognised(prompt: str, name: str, task: str) -> None:
    found = guess(features_of(make_call(prompt=prompt)))
    assert found is not None
    assert (found.name, found.task) == (name, task)


def test_a_schema_asked_for_means_extraction() -> None:
    found = guess(features_of(make_call(prompt="The bill of the third.", json_schema=True)))
    assert found is not None
    assert found.name == "schema"


def test_of_a_long_prompt_that_mentions_labels_nothing_can_be_told() -> None:
    prompt = "The label of the bottle. " + "Once upon a time. " * (LABELLED_CHARS_MAX // 18)
    assert len(prompt) > LABELLED_CHARS_MAX
    assert guess(features_of(make_call(prompt=prompt))) is None


def test_the_system_text_tells_as_well_as_the_prompt() -> None:
    call = make_call(system="You classify mails.", prompt="Hello, where is my parcel? " * 8)
    found = guess(features_of(call))
    assert found is not None
    assert found.task == "classification"


def test_every_heuristic_has_a_name_of_its_own_and_a_difficulty() -> None:
    assert len({heuristic.name for heuristic in HEURISTICS}) == len(HEURISTICS)
    assert all(0 <= heuristic.difficulty <= 1_000 for heuristic in HEURISTICS)


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_text_at_all_is_looked_at_without_harm(system: str, prompt: str) -> None:
    found = guess(features_of(make_call(system=system, prompt=prompt)))
    assert found is None or found in HEURISTICS


TABLES = {
    name: table
    for name, table in vars(heuristics).items()
    if isinstance(table, tuple) and name.isupper() and all(isinstance(one, str) for one in table)
}


@pytest.mark.parametrize("name", sorted(TABLES.keys() - {"_CODE_NOUNS"}))
def test_every_entry_of_a_table_is_found_by_its_stem(name: str) -> None:
    table = heuristics._Entries(TABLES[name])
    for entry in TABLES[name]:
        assert table.said(features_of(make_call(prompt=f"now{entry.upper()} it"))), entry
    assert not table.said(features_of(make_call(prompt="", system="")))


@pytest.mark.parametrize("entry", ["tion", " sql"])
def test_an_entry_that_no_stem_would_find_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="can't be found by a stem"):
        heuristics._Entries((entry,))


def test_a_difficulty_is_found_by_the_heuristics_name() -> None:
    assert {one.name: difficulty_of(one.name) for one in HEURISTICS} == {
        one.name: one.difficulty for one in HEURISTICS
    }
    assert difficulty_of("of another version") == 0
