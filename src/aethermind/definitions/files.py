"""Text files that a workflow names (`prompt: {file: p.md}`): found, confined, read once, hashed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from aethermind.definitions.hints import did_you_mean, show
from aethermind.definitions.nodes import Node, Scalar, Spot, Text, error
from aethermind.definitions.source import MAX_BYTES, decode, read_bytes
from aethermind.domain.errors import AethermindError, InvalidError

MAX_FILES = 200


class IncludedFiles:
    """Reads files below the workflow's directory, else below the working directory.

    `hashes` is the sha256 of every file that was read, by its path. A path that leaves both directories
    (`..`, absolute, a symbolic link) is refused.
    """

    def __init__(self, directory: Path | None, cwd: Path) -> None:
        self._roots = [directory, cwd] if directory is not None else [cwd]
        self._read: dict[Path, Text] = {}
        self.hashes: dict[str, str] = {}

    def text(self, node: Node) -> Text:
        """The file that a scalar names. Raises `InvalidError` there."""
        path, name = self.find(node)
        if path not in self._read:
            if len(self._read) >= MAX_FILES:
                raise error(node, f"more than {MAX_FILES} files are included")
            data = self.bytes(path, name, node)
            try:
                self._read[path] = decode(data, name)
            except InvalidError as problem:
                if len(data) > MAX_BYTES:
                    raise error(node, f"{show(name)} is larger than 1 MiB") from None
                raise problem from None
        return self._read[path]

    def bytes(self, path: Path, name: str, node: Node) -> bytes:
        try:
            data = read_bytes(path, name, regular=True)
        except AethermindError as problem:
            raise error(node, problem.message, hint=problem.hint) from None
        self.hashes[str(path)] = hashlib.sha256(data).hexdigest()
        return data

    def find(self, node: Node) -> tuple[Path, str]:
        """Where the file is, and how errors call it."""
        assert isinstance(node, Scalar)
        name = str(node.value)
        relative = Path(name)
        if "\0" in name or len(name) > 1_000:
            raise error(node, f"{show(name)!r} is no path")
        if relative.is_absolute() or name.startswith("~"):
            raise error(
                node, f"`{show(name)}` is absolute", hint="paths are relative to the workflow's directory"
            )
        if ".." in relative.parts:
            raise error(
                node,
                f"`{show(name)}` leads outside",
                hint="only files below the workflow's directory or the cwd",
            )
        for root in self._roots:
            candidate = root / relative
            try:
                if not candidate.exists():
                    continue
                real, real_root = candidate.resolve(), root.resolve()
            except (OSError, RuntimeError):
                raise error(node, f"`{show(name)}` cannot be followed") from None
            if not real.is_relative_to(real_root):
                raise error(node, f"`{show(name)}` is a link that leads outside `{show(str(root), 200)}`")
            return real, name
        raise error(node, f"there is no file `{show(name)}`", hint=self._suggest(relative))

    def _suggest(self, wanted: Path) -> str | None:
        folder = self._roots[0] / wanted.parent
        try:
            names = [p.name for p in sorted(folder.iterdir())[:500] if p.is_file()]
        except OSError:
            return None
        return did_you_mean(wanted.name, names, label="files there") if names else None


def as_scalar(text: Text) -> Scalar:
    """A whole file as one template, located in that file."""
    lines = text.lines
    end = Spot(len(lines), len(lines[-1]) + 1)
    return Scalar(text, Spot(1, 1), end, text.text, text.text)
