"""A folder is read by name, within bounds, and what can't be read leaves all as it was."""

from pathlib import Path

import pytest

from farebox.core.instant import UtcMs
from farebox.manifests.adoption import Loaded
from farebox.manifests.folder import FILE_BYTES_MAX, FILES_MAX, load_folder
from tests.manifests.builders import MODEL, NOW, pool, tier


def read(folder: Path, previous: Loaded | None = None) -> Loaded:
    return load_folder(folder, previous, now=NOW)


def names(loaded: Loaded) -> list[str]:
    return sorted(one.name for one in loaded.resources.pools.values())


def test_both_suffixes_are_read_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yml", "c.json", "d.yaml.bak", ".e.yaml"):
        (tmp_path / name).write_text(pool(name[:1].replace(".", "e")))
    (tmp_path / "below.yaml").mkdir()
    (tmp_path / "below.yaml" / "f.yaml").write_text(pool("f"))
    loaded = read(tmp_path)
    assert (names(loaded), loaded.problems) == (["a", "b"], ())
    assert {source.file for source in loaded.sources.values()} == {"a.yaml", "b.yml"}


def test_files_are_read_by_name(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "c.yaml"):
        (tmp_path / name).write_text(pool("same"))
    loaded = read(tmp_path)
    assert [problem.file for problem in loaded.problems] == ["b.yaml", "c.yaml"]


def test_a_folder_that_is_gone_leaves_all_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(pool("a"))
    before = read(tmp_path)
    after = read(tmp_path / "gone", before)
    assert names(after) == ["a"]
    (problem,) = after.problems
    assert (
        problem.message == "can't be read (No such file or directory): name a folder of manifests"
    )
    assert names(read(tmp_path / "gone")) == []


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(pool("a"))
    (problem,) = read(tmp_path / "a.yaml").problems
    assert "can't be read (Not a directory)" in problem.message


UNREADABLE = {
    "too-long": (b"#" * (FILE_BYTES_MAX + 1), 0, f"is over {FILE_BYTES_MAX} bytes: split it"),
    "latin-1": (b"# a\n# \xe4\n", 2, "is not UTF-8 text: save it as UTF-8"),
    "zero-byte": (b"a: \x00\n", 1, "holds a character that YAML does not allow"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_cannot_be_read_keeps_what_it_had(tmp_path: Path, case: str) -> None:
    content, line, says = UNREADABLE[case]
    (tmp_path / "a.yaml").write_text(pool("a"))
    before = read(tmp_path)
    (tmp_path / "a.yaml").write_bytes(content)
    after = read(tmp_path, before)
    assert names(after) == ["a"]
    (problem,) = after.problems
    assert (problem.file, problem.line) == ("a.yaml", line)
    assert says in problem.message


def test_a_link_that_leads_nowhere_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to(tmp_path / "nowhere")
    (problem,) = read(tmp_path).problems
    assert str(problem) == "a.yaml: is not a plain file: put the manifest itself here"


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(pool("a"), encoding="utf-8-sig")
    assert read(tmp_path).problems == ()


def test_files_beyond_the_bound_keep_what_they_had(tmp_path: Path) -> None:
    (tmp_path / "z.yaml").write_text(pool("z"))
    before = read(tmp_path)
    for number in range(FILES_MAX):
        (tmp_path / f"a{number:03}.yaml").write_text("# nothing\n")
    after = read(tmp_path, before)
    assert names(after) == ["z"]
    assert [str(problem) for problem in after.problems] == [
        f"z.yaml: is beyond the {FILES_MAX} files that are read: join some files"
    ]


def test_variables_are_handed_in(tmp_path: Path) -> None:
    model = MODEL.replace("https://api.openai.com/v1", "${PROVIDER}")
    (tmp_path / "a.yaml").write_text(tier("small", 1, model))
    (problem,) = read(tmp_path).problems
    assert "names the variable PROVIDER, which has no value here" in problem.message
    given = load_folder(str(tmp_path), None, now=NOW, variables={"PROVIDER": "http://127.0.0.1:1"})
    assert given.resources.catalogue.tiers[0].models[0].base_url == "http://127.0.0.1:1"


def test_when_prices_change_is_known(tmp_path: Path) -> None:
    change = load_folder(tmp_path, None, now=UtcMs(0)).prices_change_at
    assert change is not None
    assert change > 0
    assert load_folder(tmp_path, None, now=UtcMs(10**14)).prices_change_at is None
