"""The core of a prompt: what may be taken away at its ends, and what never is."""

import pytest

from farebox.core.edges import EDGES_MAX, cores_of

QUESTION = "Tom has 12 apples and eats 3. How many are left?"
CHOICE = "Which planet is the largest of them all?\nA. Earth\nB. Jupiter\nAnswer:"


@pytest.mark.parametrize(
    ("case", "prompt", "core"),
    [
        ("a note before it", f"Zork quux bleem. {CHOICE}", CHOICE),
        ("a note on a line of its own", f"zork: quux\n\n{CHOICE}", CHOICE),
        ("a remark after it", f"{CHOICE}\nZork quux bleem!", CHOICE),
        ("both", f"[zork]\n{CHOICE}\nquux", CHOICE),
        ("two before it", f"zork=1\nquux=2\n{CHOICE}", CHOICE),
        ("two after it", f"{CHOICE}\nZork. Quux bleem.", CHOICE),
    ],
)
def test_edges_are_taken_away(case: str, prompt: str, core: str) -> None:
    assert core in [one.strip() for one in cores_of(prompt)], case


@pytest.mark.parametrize(
    ("case", "prompt"),
    [
        ("nothing around it", CHOICE),
        ("options alone have no question", "The largest planet is\nA. Earth\nB. Jupiter\nAnswer:"),
        ("a question at the end", "Who is there? And who else?"),
        ("one word", "Hello"),
        ("nothing", ""),
        ("lines without words", "\n\n \n"),
    ],
)
def test_what_has_no_edges(case: str, prompt: str) -> None:
    assert not list(cores_of(prompt)), case


def test_no_core_is_without_the_question() -> None:
    for core in cores_of(f"zork quux.\n{QUESTION}\nbleem."):
        assert "How many are left?" in core


def test_least_is_gone_first_and_never_most() -> None:
    prompt = "one two. three four. five six. What is seven and eight and nine? ten. eleven."
    sizes = [len(core) for core in cores_of(prompt)]
    assert sizes == sorted(sizes, reverse=True)
    assert all(3 * size >= len(prompt) for size in sizes)
    assert 0 < len(sizes) < (EDGES_MAX + 1) ** 2


def test_a_full_stop_of_another_script_ends_a_sentence() -> None:
    assert QUESTION in list(cores_of(f"これは簡単な質問です。{QUESTION}"))
