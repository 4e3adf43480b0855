"""Generates farebox/wire/v1 from proto/ with the pinned grpcio-tools.

The one rule: the generated folder holds exactly what this script makes, so nobody edits it and
nothing stale stays in it. `--check` generates into a temporary folder and compares; it changes
nothing. Run by `make proto` and `make check`.
"""

import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).parent.parent
PROTO = ROOT / "proto"
PACKAGE = Path("farebox/wire/v1")
MARK = '"""Generated from proto/ by tools/generate.py: change the proto, then `make proto`."""\n'


def generate(into: Path, proto: Path = PROTO) -> list[Path]:
    """Writes the package below `into` and returns its files, relative to `into`.

    Raises RuntimeError when there is nothing to compile or protoc refuses it (protoc has then
    said why on stderr).
    """
    sources = sorted(proto.joinpath(PACKAGE).glob("*.proto"))
    if not sources:
        raise RuntimeError(f"There is no .proto file in {proto.name}/{PACKAGE}.")
    target = into / PACKAGE
    target.mkdir(parents=True, exist_ok=True)
    target.joinpath("__init__.py").write_text(MARK)
    arguments = [
        "protoc",
        f"-I{proto}",
        f"-I{files('grpc_tools').joinpath('_proto')}",
        f"--python_out={into}",
        f"--pyi_out={into}",
        f"--grpc_python_out={into}",
        *map(str, sources),
    ]
    if protoc.main(arguments) != 0:
        raise RuntimeError("protoc refused the files above.")
    return files_in(into)


def files_in(root: Path) -> list[Path]:
    """The files of the generated package below `root`, relative to `root`, caches left out."""
    found = (path.relative_to(root) for path in root.joinpath(PACKAGE).glob("*") if path.is_file())
    return sorted(found)


def differences(root: Path = ROOT, proto: Path = PROTO) -> list[str]:
    """One sentence for each generated file that is missing, stale or not what proto/ says."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        expected = set(generate(fresh, proto))
        kept = set(files_in(root))
        changed = {
            path
            for path in expected & kept
            if fresh.joinpath(path).read_bytes() != root.joinpath(path).read_bytes()
        }
    return [
        *(f"{path} is missing." for path in sorted(expected - kept)),
        *(f"{path} is not made from any proto file." for path in sorted(kept - expected)),
        *(f"{path} is not what the proto file says." for path in sorted(changed)),
    ]


def main(arguments: list[str]) -> int:
    if "--check" in arguments:
        found = differences()
        print("\n".join([*found, "Run `make proto`."]) if found else f"{PACKAGE} is fresh")
        return 1 if found else 0
    with tempfile.TemporaryDirectory() as folder:
        made = generate(Path(folder))
        shutil.rmtree(ROOT / PACKAGE, ignore_errors=True)
        shutil.copytree(Path(folder, PACKAGE), ROOT / PACKAGE)
    print(f"{PACKAGE}: {len(made)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
