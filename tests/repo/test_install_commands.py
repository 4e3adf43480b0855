"""The commands by which Farebox is installed: they are there, once, and name what exists.

That they work is shown by tests/e2e/kube/test_install.py, which runs these very lines.
"""

import re

import pytest

from tests.repo.files import ROOT
from tests.support.kube_document import (
    INSTALL,
    PLACEHOLDER,
    PLACEHOLDERS,
    README,
    ROTATE,
    UNINSTALL,
    UPGRADE,
    Steps,
    commands_in,
    filled_in,
)

SECTIONS = [README, INSTALL, UPGRADE, UNINSTALL, ROTATE]


def commands(section: tuple[object, str]) -> tuple[str, ...]:
    path, heading = section
    return commands_in(ROOT.joinpath(str(path)).read_text(), heading)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: f"{section[0].name} {section[1]}")
def test_a_section_has_commands_and_they_name_what_exists(section: tuple[object, str]) -> None:
    found = commands(section)
    assert found
    for command in found:
        assert command.split()[0] in {"helm", "kubectl"}
        for path in re.findall(r"(?:deploy|examples)/[\w./-]+", command):
            assert ROOT.joinpath(path).exists(), path


def test_the_readme_installs_labels_applies_looks_and_raises_a_limit() -> None:
    beginnings = [command.split()[:2] for command in commands(README)]
    for wanted in ("install", "label", "apply", "get", "patch"):
        assert any(words[1] == wanted for words in beginnings), wanted


def test_readme_and_document_have_the_same_commands() -> None:
    assert commands(README) == commands(INSTALL)


def test_what_a_reader_fills_in_is_what_the_tests_fill_in() -> None:
    found = {word for command in commands(README) for word in PLACEHOLDER.findall(command)}
    assert found == set(PLACEHOLDERS)
    assert not any(PLACEHOLDER.search(filled_in(command)) for command in commands(README))


DOCUMENT = """\
# Title
## Other
```sh
elsewhere
```
## Wanted
Words.
```sh
one --a=b   # why
# a remark

two \\
  --c 'x # y'  # z
```
```yaml
no: command
```
### Below
```sh
three NAMESPACE
```
## After
```sh
not this
```
"""


def test_commands_are_those_under_the_heading_without_remarks_each_in_one_line() -> None:
    assert commands_in(DOCUMENT, "Wanted") == ("one --a=b", "two --c 'x # y'", "three NAMESPACE")
    assert commands_in("## Wanted\nNo commands.", "Wanted") == ()
    with pytest.raises(LookupError, match="Missing"):
        commands_in(DOCUMENT, "Missing")


async def test_neither_the_document_nor_the_test_has_a_command_more(tmp_path: object) -> None:
    path = ROOT.joinpath(str(tmp_path), "document.md")
    path.write_text(DOCUMENT)
    ran = []

    async def shell(command: str) -> str:
        ran.append(command)
        return command

    steps = Steps((path, "Wanted"), shell)
    await steps.run("one")
    with pytest.raises(AssertionError, match="these were not run"):
        steps.end()
    with pytest.raises(AssertionError, match="'three' was to come: two"):
        await steps.run("three")
    steps = Steps((path, "Wanted"), shell)
    for beginning in ("one", "two", "three"):
        await steps.run(beginning)
    assert ran[-1] == "three others"
    steps.end()
    with pytest.raises(AssertionError, match="no command is left"):
        await steps.run("four")
    path.write_text("# Wanted\n")
    with pytest.raises(AssertionError, match="there is no command"):
        Steps((path, "Wanted"), shell)
