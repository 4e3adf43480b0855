"""Features are what can be seen of a call, and looking costs no more for an endless prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.core.features import SCANNED_CHARS_MAX, WORDS_CHARS_MAX, features_of
from tests.support.policies import make_call

PYTHON_TRACE = """It fails since the update:
Traceback (most recent call last):
  File "app.py", line 3, in <module>
    main()
"""
JAVA_TRACE = """java.lang.IllegalStateException: closed
    at com.acme.Pool.take(Pool.java:41)
    at com.acme.Main.run(Main.java:7)
"""


@pytest.mark.parametrize(
    ("case", "prompt", "stack_trace"),
    [
        ("a Python trace", PYTHON_TRACE, True),
        ("a Java trace", JAVA_TRACE, True),
        ("a panic", "thread 'main' panicked at src/main.rs:4", True),
        ("only the last line of a trace", "ValueError: not a number", True),
        ("an error in prose", "There was an Error: nobody answered the phone", False),
        ("a time of day", "Meet me at noon (or later)", False),
    ],
)
def test_a_stack_trace_is_seen(case: str, prompt: str, stack_trace: bool) -> None:
    assert features_of(make_call(prompt=prompt)).stack_trace is stack_trace, case


@pytest.mark.parametrize("trace", [PYTHON_TRACE, JAVA_TRACE, "panicked at src/main.rs:4"])
def test_a_stack_trace_is_seen_between_long_texts(trace: str) -> None:
    around = "and so on " * 80
    assert features_of(make_call(prompt=f"{around}\n{trace}\n{around}")).stack_trace


@pytest.mark.parametrize(
    ("case", "prompt", "code"),
    [
        ("a fenced block", "Look:\n```\nx = 1\n```", True),
        ("an indented function", "What is this?\n    def area(r):\n        return r * r", True),
        ("a query", "SELECT name FROM people;", True),
        ("plain prose", "What is the capital of France?", False),
        ("words of code in prose", "The function of the import duty is disputed.", False),
    ],
)
def test_code_is_seen(case: str, prompt: str, code: bool) -> None:
    assert features_of(make_call(prompt=prompt)).code is code, case


def test_text_is_lower_case_words_of_system_and_prompt() -> None:
    seen = features_of(make_call(system="You LABEL mails.", prompt="Is this\nURGENT?"))
    assert " you label mails." in seen.text
    assert " urgent? " in seen.text


def test_counts_are_those_of_the_prompt_alone() -> None:
    seen = features_of(make_call(system="1 2 3? Why?", prompt="Is 3.5 more than 3,4? Really?"))
    assert (seen.numbers, seen.questions, seen.chars) == (2, 2, 29)


def test_facts_of_the_call_are_passed_on() -> None:
    seen = features_of(make_call(turns=4, tools=2, images=1, json_schema=True))
    assert (seen.turns, seen.tools, seen.images, seen.json_schema) == (4, 2, 1, True)


def test_of_a_long_prompt_head_and_tail_are_read() -> None:
    middle = "x" * SCANNED_CHARS_MAX
    seen = features_of(make_call(prompt=f"Summarize. {middle} DEBUG {middle} Thanks!"))
    assert "summarize" in seen.text
    assert "thanks!" in seen.text
    assert "debug" not in seen.text
    assert seen.chars > 2 * SCANNED_CHARS_MAX


def test_keywords_are_read_at_both_ends() -> None:
    passage = "and so on " * WORDS_CHARS_MAX
    seen = features_of(make_call(prompt=f"Passage: {passage} recap {passage} Compare them."))
    assert {"pass", "comp"} <= seen.stems
    assert "reca" not in seen.stems
    assert len(seen.text) <= 2 * WORDS_CHARS_MAX


@given(st.text(max_size=200), st.text(max_size=200), st.integers(0, 60))
def test_what_is_read_is_bounded(system: str, prompt: str, repeat: int) -> None:
    seen = features_of(make_call(system=system * repeat, prompt=prompt * repeat))
    # Lower case can be up to three times as long, as that of the letter I with a dot.
    assert len(seen.text) <= 3 * (2 * SCANNED_CHARS_MAX + 5)
