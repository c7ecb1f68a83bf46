"""Adapters behind the engine's ports: stores, providers, children, configuration, secrets."""

from __future__ import annotations
