"""farebox/wire/v1 is what proto/ says, and the check notices when it is not."""

from pathlib import Path

import pytest

from tools.generate import PACKAGE, differences, generate

PROTO = 'syntax = "proto3";\npackage farebox.wire.v1;\nmessage Grant { int64 granted = 1; }\n'


def write_proto(folder: Path, text: str = PROTO) -> Path:
    proto = folder / "proto"
    proto.joinpath(PACKAGE).mkdir(parents=True, exist_ok=True)
    proto.joinpath(PACKAGE, "lease.proto").write_text(text)
    return proto


def test_the_generated_code_is_fresh() -> None:
    assert differences() == [], "run `make proto`"


def test_stale_missing_and_edited_files_are_found(tmp_path: Path) -> None:
    proto = write_proto(tmp_path)
    generate(tmp_path, proto)
    assert differences(tmp_path, proto) == []
    package = tmp_path / PACKAGE
    package.joinpath("lease_pb2.pyi").unlink()
    package.joinpath("lease_pb2.py").write_text("edited = True\n")
    package.joinpath("old_pb2.py").write_text("")
    assert differences(tmp_path, proto) == [
        f"{PACKAGE}/lease_pb2.pyi is missing.",
        f"{PACKAGE}/old_pb2.py is not made from any proto file.",
        f"{PACKAGE}/lease_pb2.py is not what the proto file says.",
    ]


def test_a_changed_proto_makes_the_code_stale(tmp_path: Path) -> None:
    proto = write_proto(tmp_path)
    generate(tmp_path, proto)
    write_proto(tmp_path, PROTO.replace("granted", "granted_nanos"))
    assert f"{PACKAGE}/lease_pb2.py is not what the proto file says." in differences(
        tmp_path, proto
    )


def test_what_cannot_be_compiled_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"no \.proto file"):
        generate(tmp_path, tmp_path)
    with pytest.raises(RuntimeError, match="protoc refused"):
        generate(tmp_path, write_proto(tmp_path, "message {"))
