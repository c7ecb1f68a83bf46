"""Definitions: YAML or Python → `domain.workflow.WorkflowDef`, checked, with every inheritance merged.

    source    bytes → a tree in which every key and value knows its line and column
    surface   what may stand in a workflow file; the JSON Schema of the file is made from it
    reading   the tree → surface records, with errors at their place
    build     surface records → WorkflowDef
    checks    names, references, cycles
    loader    all of it, for a file or a text

Beside them: `expressions` and `schemas` (adapters of the engine's ports), `inputs`, `units`, `sim`,
`python` (workflows written in Python), `starter` and `data` (what ships with the program).
"""
