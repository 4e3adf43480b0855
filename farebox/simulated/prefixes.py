"""The prompt cache: how much of a prompt the provider has read before.

The one rule: only an identical prefix counts, from 1024 tokens on and in steps of 128, as
OpenAI's prompt caching guide says. Digests are kept, never prompts, and they are forgotten at a
restart, as a cache is.
"""

from collections import OrderedDict
from hashlib import blake2b

from farebox.simulated.prompt import Prompt
from farebox.simulated.tokens import Tokenizer

cached_tokens_min = 1_024
cached_tokens_step = 128
prefixes_max = 65_536

_SEPARATOR = "\x1e"


class PrefixCache:
    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._seen: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def cached_tokens(self, model: str, prompt: Prompt) -> int:
        """Tokens of the longest prefix seen before by this model; remembers this prompt's."""
        if prompt.tokens < cached_tokens_min:
            return 0
        keys = [(model, digest) for digest in self._prefix_digests(prompt)]
        known = sum(1 for key in keys if key in self._seen)
        # A prefix of a known prefix is known too, unless it was the oldest and is forgotten:
        # then the sum is too small, which only makes the call dearer.
        for key in keys:
            self._seen[key] = None
            self._seen.move_to_end(key)
        while len(self._seen) > prefixes_max:
            self._seen.popitem(last=False)
        if known == 0:
            return 0
        return min(prompt.tokens, cached_tokens_min + (known - 1) * cached_tokens_step)

    def _prefix_digests(self, prompt: Prompt) -> list[bytes]:
        text = _SEPARATOR.join(prompt.texts)
        hashed = blake2b(digest_size=16)
        digests: list[bytes] = []
        start = 0
        ends = self._tokenizer.ends(text, first=cached_tokens_min, step=cached_tokens_step)
        for end in ends:
            hashed.update(text[start:end].encode())
            digests.append(hashed.digest())
            start = end
        return digests
