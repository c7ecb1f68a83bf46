"""The tools for files: read_file, list_files, search_files, write_file, edit_file.

Rules
- `infra/rooted.py` keeps them below the root; a refusal says what is wrong with the path.
- What a write would do is computed in one place, for the preview and for the call. The preview's `basis` is
  a digest of the file that it would replace: a call that is bound to a preview fails if that has changed.
- A pattern of a model's is matched in a process that can be killed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from aethermind import wire
from aethermind.engine.ports import Children
from aethermind.engine.toolbox import Approval, Effect, Preview, ToolOutput, ToolPlace
from aethermind.infra import rooted
from aethermind.infra.files import to_its_end
from aethermind.infra.rooted import Guarded, Refused, Walk
from aethermind.infra.sanitize import clean_line
from aethermind.infra.tools import seek
from aethermind.infra.tools.changes import Change, current, digest, edited, text_of, written
from aethermind.infra.tools.diffs import unified
from aethermind.infra.tools.tool import (
    Arguments,
    Output,
    Tool,
    parameters,
    refused,
    spec_of,
    title,
    unavailable,
)
from aethermind.infra.tools.waiting import TimedOut, within

Json = Any
T = TypeVar("T")

MAX_READ = 16 * 1024 * 1024
"""Bytes of a file that can be read, a part at a time."""
_PAGE = 60 * 1024
"""Bytes of a file in one answer; room is left for the words around them."""
_LINES = 2_000
_ENTRIES = 1_000
_MATCHES = 200
_SEARCH_SECONDS = 10.0


def file_tools(config: Json, place: ToolPlace, children: Children, guarded: tuple[str, ...]) -> list[Tool]:
    """`config`: the body of `{"files": …}`. Raises `ToolError` if the root is no directory."""
    root = os.path.normpath(Path(place.cwd, config.get("root", ".")))
    try:
        with Walk(place.cwd, Guarded(guarded)) as walk:
            walk.into(rooted.parts_of(config.get("root", ".")))
    except (OSError, Refused) as problem:
        reason = rooted.reason_of(problem) if isinstance(problem, OSError) else problem.reason
        raise unavailable("not_found", f"files: the root {root} cannot be used: {reason}") from None
    return _Files(root, children, guarded).tools(config["read"], config["write"])


class _Files:
    def __init__(self, root: str, children: Children, guarded: tuple[str, ...]) -> None:
        self._root = root
        self._children = children
        self._guarded_paths = guarded
        self._guarded = Guarded(guarded)

    def tools(self, read: Approval, write: Approval) -> list[Tool]:
        path = {"type": "string", "description": "Relative to the working directory"}
        directory = {"type": "string", "description": "A directory; the working directory if left out"}
        glob = {"type": "string", "description": "Only paths like this: *.py, src/**/*.ts, *.{js,ts}"}
        return [
            self._tool(
                "read_file",
                f"Read a text file, at most {_LINES} lines at a time.",
                parameters(
                    ("path",),
                    path=path,
                    offset={"type": "integer", "minimum": 1, "description": "First line, from 1"},
                    limit={"type": "integer", "minimum": 1, "maximum": _LINES, "description": "Lines"},
                ),
                "read",
                read,
                self._preview_of("read"),
                self._read,
                faithful=True,
            ),
            self._tool(
                "list_files",
                f"List a directory, or with `glob` all files below it that fit; at most {_ENTRIES}.",
                parameters(path=directory, glob=glob),
                "read",
                read,
                self._preview_of("list"),
                self._list,
                faithful=True,
            ),
            self._tool(
                "search_files",
                f"Find lines that match a regular expression (Python's), at most {_MATCHES}, as "
                "path:line: text. Leaves out .git, node_modules, caches and virtual environments.",
                parameters(
                    ("pattern",),
                    pattern={"type": "string", "minLength": 1, "maxLength": 1_000},
                    path={"type": "string", "description": "A directory or file; all if left out"},
                    glob=glob,
                    ignore_case={"type": "boolean"},
                ),
                "read",
                read,
                self._preview_of("search"),
                self._search,
                faithful=True,
            ),
            self._tool(
                "write_file",
                "Write a text file, whole. Directories are made; an existing file is replaced.",
                parameters(("path", "content"), path=path, content={"type": "string"}),
                "write",
                write,
                partial(self._preview_change, written),
                partial(self._change, written),
            ),
            self._tool(
                "edit_file",
                "Replace a text in a file, exactly as it stands there. `old` has to occur exactly `count` "
                "times (1 if left out); all of them are replaced.",
                parameters(
                    ("path", "old", "new"),
                    path=path,
                    old={"type": "string", "minLength": 1},
                    new={"type": "string"},
                    count={"type": "integer", "minimum": 1},
                ),
                "write",
                write,
                partial(self._preview_change, edited),
                partial(self._change, edited),
            ),
        ]

    def _tool(
        self,
        name: str,
        description: str,
        schema: dict[str, Json],
        effect: Effect,
        approve: Approval,
        preview: Any,
        call: Any,
        *,
        faithful: bool = False,
    ) -> Tool:
        spec = spec_of(name, description, schema, effect=effect, approve=approve, source="files")
        return Tool(spec=spec, schema=schema, preview=preview, call=call, faithful=faithful)

    # --- looking -------------------------------------------------------------------------------

    def _preview_of(self, verb: str) -> Callable[[Arguments], Any]:
        async def preview(arguments: Arguments) -> Preview:
            path = arguments.get("path", ".")
            self._checked(path, rooted.parts_of)
            what = [repr(arguments["pattern"])] if verb == "search" else []
            what += ["in", path] if what else [path]
            if "glob" in arguments:
                what += ["for", arguments["glob"]]
            if "offset" in arguments:
                what += ["from line", str(arguments["offset"])]
            return Preview(title=title(verb, " ".join(what)))

        return preview

    async def _read(self, arguments: Arguments, basis: str, on_output: Output | None) -> ToolOutput:
        path = arguments["path"]
        offset, limit = arguments.get("offset", 1), arguments.get("limit", _LINES)
        return await to_its_end(lambda: self._looking(path, lambda: self._page(path, offset, limit)))

    def _page(self, path: str, offset: int, limit: int) -> ToolOutput:
        parts = self._checked(path, rooted.file_parts_of)
        with Walk(self._root, self._guarded) as walk:
            name = walk.to_directory_of(parts)
            data = rooted.read(walk.directory, name, MAX_READ + 1)
        if len(data) > MAX_READ:
            raise Refused(
                f"it is larger than {MAX_READ // 1024 // 1024} MiB", "search_files finds lines in it"
            )
        text = text_of(data)
        lines = text.split("\n")
        count = len(lines) - (not lines[-1])
        if offset > max(count, 1):
            raise Refused(f"it has only {count} lines")
        page, size = [], 0
        for line in lines[offset - 1 : min(offset - 1 + limit, count)]:
            size += len(line.encode()) + 1
            if size > _PAGE:
                break
            page.append(line)
        if not page and count:
            line = lines[offset - 1].encode()[:_PAGE].decode(errors="ignore")
            note = f"[line {offset} is too long: its first {_PAGE // 1024} KiB]"
            return ToolOutput(text=f"{line}\n{note}", truncated=True)
        last = offset - 1 + len(page)
        whole = "\n".join(page) + ("\n" if page and (last < count or text.endswith("\n")) else "")
        if offset == 1 and last == count:
            return ToolOutput(text=whole)
        more = f"; read on with offset {last + 1}" if last < count else ""
        note = f"[lines {offset}-{last} of {count}{more}]"
        return ToolOutput(text=f"{whole.removesuffix(chr(10))}\n{note}", truncated=last < count)

    async def _list(self, arguments: Arguments, basis: str, on_output: Output | None) -> ToolOutput:
        path, glob = arguments.get("path", "."), arguments.get("glob")
        return await to_its_end(lambda: self._looking(path, lambda: self._entries(path, glob)))

    def _entries(self, path: str, glob: str | None) -> ToolOutput:
        guarded = self._guarded_ids()
        with Walk(self._root, self._guarded) as walk:
            walk.into(self._checked(path, rooted.parts_of))
            prefix = "".join(f"{name}/" for name in walk.names)
            found = seek.walk(walk.directory, prefix, lambda *pair: pair in guarded, deep=glob is not None)
            fits = seek.matcher(glob) if glob is not None else lambda path: True
            names = (
                name + "/" * is_directory
                for name, is_directory, _, _ in islice(found, seek.MAX_FILES)
                if fits(name[len(prefix) :]) and not (is_directory and glob is not None)
            )
            listed = list(islice(names, _ENTRIES + 1))
            found.close()  # type: ignore[attr-defined]  # a generator: it holds descriptors
        if not listed:
            return ToolOutput(text="[no file is like that]" if glob else "[the directory is empty]")
        cut = len(listed) > _ENTRIES
        note = [f"[the first {_ENTRIES}; narrow it down with path or glob]"] if cut else []
        lines = [clean_line(name) for name in listed[:_ENTRIES]]
        return ToolOutput(text="\n".join([*lines, *note]), truncated=cut)

    async def _search(self, arguments: Arguments, basis: str, on_output: Output | None) -> ToolOutput:
        path = arguments.get("path", ".")
        names, file = await to_its_end(lambda: self._looking(path, lambda: self._place(path)))
        request = {
            "names": names,
            "file": file,
            "pattern": arguments["pattern"],
            "ignore_case": arguments.get("ignore_case", False),
            "glob": arguments.get("glob", ""),
            "guarded": [list(pair) for pair in self._guarded_ids()],
            "matches": _MATCHES,
            "seconds": _SEARCH_SECONDS * 0.8,
        }
        script = [sys.executable, "-I", "-S", str(Path(seek.__file__))]
        work = self._children.run(script, cwd=self._root, env={}, stdin=wire.encode_json(request).decode())
        try:
            result = await within(_SEARCH_SECONDS, work)
            answer = wire.decode_json(result.stdout)
        except TimedOut:
            hint = "make the pattern simpler, or name a path"
            raise refused(f"the search took more than {_SEARCH_SECONDS:.0f} s", hint) from None
        except ValueError:
            raise refused("the search ended without an answer", "make the pattern simpler") from None
        if "error" in answer:
            raise refused(f"cannot search {path}: {answer['error']}")
        lines = [f"{name}:{number}: {line}" for name, number, line in answer["found"]]
        if not answer["complete"]:
            lines.append("[there may be more; narrow it down with path or glob]")
        return ToolOutput(
            text="\n".join(map(clean_line, lines)) or f"[no match in {answer['files']} files]",
            truncated=not answer["complete"],
        )

    def _place(self, path: str) -> tuple[list[str], str]:
        """The directory that a path leads to, links resolved, and the file in it, if it is one."""
        parts = self._checked(path, rooted.parts_of)
        with Walk(self._root, self._guarded) as walk:
            try:
                walk.into(parts)
            except NotADirectoryError:
                pass
            else:
                return list(walk.names), ""
        with Walk(self._root, self._guarded) as walk:
            file = walk.to_directory_of(parts)
            return list(walk.names), file

    # --- changing ------------------------------------------------------------------------------

    async def _preview_change(self, change: Change, arguments: Arguments) -> Preview:
        path = arguments["path"]

        def look() -> Preview:
            parts = self._checked(path, rooted.file_parts_of)
            try:
                with Walk(self._root, self._guarded) as walk:
                    name = walk.to_directory_of(parts)
                    before = current(walk.directory, name)
            except FileNotFoundError:
                before = None
            after = change(before, arguments)
            old = None if before is None else text_of(before)
            return Preview(
                title=title("edit" if before is not None else "write", "/".join(parts)),
                text=unified("/".join(parts), old, after),
                basis=digest(before),
            )

        return await to_its_end(lambda: self._looking(path, look, "change"))

    async def _change(
        self, change: Change, arguments: Arguments, basis: str, on_output: Output | None
    ) -> ToolOutput:
        path = arguments["path"]

        def write() -> ToolOutput:
            parts = self._checked(path, rooted.file_parts_of)
            with Walk(self._root, self._guarded, make=True) as walk:
                name = walk.to_directory_of(parts)
                before = current(walk.directory, name)
                if basis and basis != digest(before):
                    raise Refused("it has changed since this was approved", "read it again")
                after = change(before, arguments)
                rooted.replace(walk.directory, name, after.encode())
            size = len(after.encode())
            return ToolOutput(
                text=f"{'wrote' if before is None else 'changed'} {'/'.join(parts)} ({size} bytes)"
            )

        return await to_its_end(lambda: self._looking(path, write, "change"))

    # --- both ----------------------------------------------------------------------------------

    def _checked(self, path: str, parts_of: Callable[[str], list[str]]) -> list[str]:
        try:
            return parts_of(path)
        except Refused as problem:
            _refuse(path, problem.reason, problem.hint)

    def _looking(self, path: str, work: Callable[[], T], verb: str = "read") -> T:
        try:
            return work()
        except Refused as problem:
            _refuse(path, problem.reason, problem.hint, verb)
        except UnicodeEncodeError:
            _refuse(path, "the text holds half a surrogate pair", None, verb)
        except OSError as problem:
            _refuse(path, rooted.reason_of(problem), None, verb)

    def _guarded_ids(self) -> set[tuple[int, int]]:
        found = set()
        for path in self._guarded_paths:
            try:
                status = Path(path).stat()
            except OSError:
                continue
            found.add((status.st_dev, status.st_ino))
        return found


def _refuse(path: str, reason: str, hint: str | None, verb: str = "read") -> NoReturn:
    raise refused(f"cannot {verb} {path}: {reason}", hint)
