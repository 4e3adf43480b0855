"""Keys of providers by name: what is read, and that nothing that may be a key is said again."""

import pytest

from controller.injection.keys import KEYS, KEYS_MAX, Key
from farebox.manifests.documents import Scalar, Written
from farebox.manifests.scalars import Unfit

OPENAI = Key(name="OPENAI_API_KEY", secret="llm-keys", entry="openai")


def read(text: str) -> tuple[Key, ...]:
    return KEYS.read(Scalar(text, Written.TEXT))


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("OPENAI_API_KEY=llm-keys/openai", (OPENAI,)),
        (
            " OPENAI_API_KEY=llm-keys/openai , HF_TOKEN=hugging.face/token.txt? ",
            (
                OPENAI,
                Key(name="HF_TOKEN", secret="hugging.face", entry="token.txt", optional=True),
            ),
        ),
        ("KEY=a/b", (Key(name="KEY", secret="a", entry="b"),)),
        ("none", ()),
        ("", ()),
    ],
)
def test_what_is_read(text: str, keys: tuple[Key, ...]) -> None:
    assert read(text) == keys


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("OPENAI_API_KEY=sk-live-1234", "is not fit in part 1 of 1: write VARIABLE=SECRET/KEY, "),
        ("sk-live-1234", "is not fit in part 1 of 1"),
        ("A_KEY=a/b,B_KEY", "is not fit in part 2 of 2"),
        ("A_KEY=a/b,", "is not fit in part 2 of 2"),
        ("A_KEY=other/llm-keys/openai", "is not fit in part 1 of 1"),
        ("A_KEY=Llm_Keys/openai", "is not fit in part 1 of 1"),
        ("a_key=a/b", "is not fit in part 1 of 1"),
        ("PATH=a/b", "is not fit in part 1 of 1"),
        ("LD_PRELOAD=a/b", "is not fit in part 1 of 1"),
        ("FAREBOX_CONTROLLER=a/b", "is not fit in part 1 of 1"),
        ("FAREBOX_ADMIN_KEY=a/b", "is not fit in part 1 of 1"),
        ("A_KEY=a/b, A_KEY=c/d", "has A_KEY for the second time: keep one"),
        (",".join(f"A{n}_KEY=a/b" for n in range(KEYS_MAX + 1)), "has more than 16 keys"),
    ],
)
def test_what_is_not_fit_is_told_without_a_word_of_it(text: str, why: str) -> None:
    with pytest.raises(Unfit) as refused:
        read(text)
    assert str(refused.value).startswith(why)
    assert "sk-live" not in str(refused.value)


def test_as_many_as_may_be() -> None:
    assert len(read(",".join(f"A{n}_KEY=a/b" for n in range(KEYS_MAX)))) == KEYS_MAX
