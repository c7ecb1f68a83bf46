"""The workflows that an engine offers over its API: files of its user, samples, and texts that are sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aethermind.api.library import Texts
from aethermind.bootstrap.composition import Composition
from aethermind.definitions.loader import Defaults, LoadedWorkflow, load_text
from aethermind.definitions.templates import check_name, find_workflow, samples
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.domain.views import iso

Json = Any


class Files(Texts):
    """See `Library`. A run that names no directory takes place in the user's home."""

    def __init__(self, composition: Composition) -> None:
        from aethermind.infra.workspace import user_name

        super().__init__(user=user_name(), cwd=str(Path.home()))
        self._composition = composition

    def listed(self) -> list[dict[str, Json]]:
        found: dict[str, dict[str, Json]] = {}
        for directory in self._composition.workflow_dirs:
            origin = "samples" if directory == self._composition.samples_dir else str(directory)
            for item in samples(directory):
                path = item.path.resolve()
                found.setdefault(
                    item.name,
                    {
                        "name": item.name,
                        "description": item.description,
                        "definition_hash": "",
                        "updated_at": iso(int(path.stat().st_mtime * 1000)),
                        "source": str(path),
                        "origin": origin,
                    },
                )
        return list(found.values())

    def load(self, name: str) -> LoadedWorkflow:
        from aethermind.bootstrap import load_workflow

        try:
            check_name(name)
        except InvalidError as error:  # a path, say: only names are looked up for others
            raise NotFoundError(f"there is no workflow {name!r}") from error
        path = find_workflow(name, self._composition.samples_dir, self._composition.workflow_dirs)
        return load_workflow(self._composition, path)

    def read(self, text: str, name: str) -> LoadedWorkflow:
        from aethermind.bootstrap import registered

        composition = self._composition
        settings = composition.config.defaults
        return load_text(
            text,
            name,
            cwd=composition.config.workflows,
            defaults=Defaults(retries=settings.retries, timeout_ms=settings.timeout_ms),
            known_models=composition.model_problem,
            known_settings=composition.models.check_settings,
            known_agents=lambda agent: registered.find_agent(composition, agent),
        )

    def ships(self, path: str) -> bool:
        return Path(path).is_relative_to(self._composition.samples_dir.resolve())

    def interpreter(self, cwd: str) -> str:
        from aethermind.infra.workspace import submitter_interpreter

        return submitter_interpreter(cwd, self._composition.config.python)

    def programs(self, model: str) -> Sequence[str]:
        return self._composition.models.programs_in((model,))

    def check_model(self, model: str) -> None:
        if problem := self._composition.model_problem(model):
            raise InvalidError(problem)
