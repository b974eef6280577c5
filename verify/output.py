"""Files and folders that the user names: never half written, never in the tree that is checked."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from verify.errors import BadInput


def refuse(path: Path, kernel: Path | None, option: str = "--output") -> None:
    """BadInput when what `option` asks for cannot go to `path`. Call it before the work, not after.

    It must not lie in the kernel tree, what is there already must be a plain file, and its folder
    must exist and be writable.
    """
    where = f"{option} {path}"
    try:
        real = path.resolve()
        if kernel is not None and real.is_relative_to(kernel.resolve()):
            raise BadInput(f"{where}: inside the kernel tree, which is never written to")
        if real.is_dir():
            raise BadInput(f"{where}: a folder; give a file name")
        if real.exists() and not real.is_file():
            raise BadInput(f"{where}: not a plain file; leave the option out and redirect instead")
        if not real.parent.is_dir():
            raise BadInput(f"{where}: no such folder: {path.parent}")
        # Permissions do not tell: the file system may be read-only.
        tempfile.TemporaryFile(dir=real.parent).close()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
        raise BadInput(f"{where}: cannot be written: {_why(error)}") from None


def write(path: Path, text: str, option: str = "--output") -> None:
    """Put `text` (as UTF-8) into the file at once: readers see the old file or all of the new.

    BadInput when it cannot be written; the old file is then as it was.
    """
    real = path.resolve()
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name[:100]}.")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(real))
        os.replace(temporary, real)
        temporary = None
    except OSError as error:
        raise BadInput(f"{option} {path}: cannot be written: {_why(error)}") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def refuse_folder(option: str, path: Path, kernel: Path | None) -> None:
    """BadInput when no new folder can be made at `path`. Call it before the work, not after.

    It must not lie in the kernel tree, and what is there already must be an empty folder.
    """
    where = f"{option} {path}"
    try:
        real = path.resolve()
        if kernel is not None and real.is_relative_to(kernel.resolve()):
            raise BadInput(f"{where}: inside the kernel tree, which is never written to")
        if real.exists() and (not real.is_dir() or any(real.iterdir())):
            raise BadInput(f"{where}: exists and is no empty folder; choose a new one")
        if not real.parent.is_dir():
            raise BadInput(f"{where}: no such folder: {path.parent}")
        tempfile.TemporaryFile(dir=real.parent).close()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
        raise BadInput(f"{where}: cannot be written: {_why(error)}") from None


def write_folder(option: str, path: Path, files: Mapping[str, str]) -> None:
    """Make the folder with these files (UTF-8) by their relative paths, all of them or nothing.

    BadInput when it cannot be written.
    """
    real = path.resolve()
    temporary: Path | None = None
    try:
        temporary = Path(tempfile.mkdtemp(dir=real.parent, prefix=f".{real.name[:100]}."))
        for name, text in files.items():
            file = temporary / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        temporary.chmod(0o755)
        temporary.replace(real)
        temporary = None
    except OSError as error:
        raise BadInput(f"{option} {path}: cannot be written: {_why(error)}") from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _mode(path: Path) -> int:
    """Permissions of the file that is replaced, else those of any new file."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
