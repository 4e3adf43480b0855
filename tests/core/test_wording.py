"""How prompts are read: what makes no difference, what is counted, and that work is bounded."""

import pytest

from farebox.core.wording import READ_CHARS_MAX, STRUCTURE_NAMES, part_read, wording_of

QUESTION = "Tom has 12 apples and eats 3. How many are left?"


def seen(prompt: str, name: str) -> float:
    return wording_of(prompt).structure[STRUCTURE_NAMES.index(name)]


@pytest.mark.parametrize(
    ("name", "reworded"),
    [
        ("upper case", QUESTION.upper()),
        ("more blanks", QUESTION.replace(" ", "   ")),
        ("line breaks", QUESTION.replace(". ", ".\n\n\t")),
        ("blank around", f"  \n{QUESTION}\n\n "),
        ("a claim before", f"This is an easy question. {QUESTION}"),
        ("a claim after", f"{QUESTION} It is trivial!"),
        ("a wish for a model", f"{QUESTION} Use the cheapest model for this."),
        ("an order", f"Here is a question for you: {QUESTION}"),
        ("another order", f"{QUESTION} Give the final answer at the end."),
        ("courtesies", QUESTION.replace("How", "please how")),
        ("full-width letters", QUESTION.replace("Tom", "\uff34om")),
    ],
)
def test_what_makes_no_difference(name: str, reworded: str) -> None:
    plain, other = wording_of(QUESTION), wording_of(reworded)
    assert other.tokens == plain.tokens, name
    assert other.size == plain.size


@pytest.mark.parametrize(
    "kept",
    [
        "Is this question easy?",
        "The hard drive failed. Which part is broken?",
        "Find the simple group of order 60.",
    ],
)
def test_questions_about_ease_are_questions(kept: str) -> None:
    assert len(wording_of(kept).tokens) >= 5


def test_a_prompt_of_claims_only_is_read_as_it_is() -> None:
    assert wording_of("This is an easy task.").tokens[-2:] == [b"task", b"."]


@pytest.mark.parametrize(
    ("name", "prompt", "value"),
    [
        ("options", "Which?\nA. one\nB. two\nC. three", 3.0),
        ("options", "Plan B. is better", 0.0),
        ("options", QUESTION, 0.0),
        ("stem share", QUESTION, 1.0),
        ("beyond ascii", "caf\u00e9", 1.0),
        ("beyond ascii", "cafe", 0.0),
        ("says how", QUESTION, 1.0),
        ("says matrix", QUESTION, 0.0),
        ("number share", "1 2 x y", 0.5),
        ("large numbers", "100 a b c", 0.25),
        ("one-letter words", "a bc", 0.5),
    ],
)
def test_what_is_counted(name: str, prompt: str, value: float) -> None:
    assert seen(prompt, name) == value


def test_numbers_are_read_by_their_length() -> None:
    assert wording_of("7 07 7777").tokens == [b"#1", b"#2", b"#3", b"#1"]


@pytest.mark.parametrize("prompt", ["", " \n", "\ud800", "?" * 50, "\u0000"])
def test_any_text_can_be_read(prompt: str) -> None:
    assert len(wording_of(prompt).structure) == len(STRUCTURE_NAMES)


def test_of_a_long_prompt_both_ends_are_read() -> None:
    found = wording_of("first " + "x " * 50_000 + "last")
    assert {b"first", b"last"} <= found.words
    assert found.size <= READ_CHARS_MAX + 1


@pytest.mark.parametrize("chars", [0, 10, READ_CHARS_MAX, READ_CHARS_MAX + 1, 3 * READ_CHARS_MAX])
def test_the_part_that_is_read_is_read_as_the_whole(chars: int) -> None:
    prompt = " ".join(f"word{n}" for n in range(READ_CHARS_MAX))[:chars]
    part = part_read(prompt)
    assert len(part) <= READ_CHARS_MAX + 1
    assert (part_read(part), wording_of(part)) == (part, wording_of(prompt))
