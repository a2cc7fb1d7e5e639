"""What an expression may certainly mean, and what has to be known to find that out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from copilot_server.workspace.names import Binding, ClassNames, FileNames, Use


class NamedFiles(Protocol):
    """What is known of the names in the files of a workspace."""

    @property
    def folders(self) -> Sequence[str]:
        """The workspace's folders."""
        ...

    def names(self, path: str) -> FileNames | None:
        """Return the names in a file; None if they are not known as the file is now."""
        ...

    def existing(self, paths: tuple[str, ...]) -> frozenset[str]:
        """Return which of these files are known."""
        ...

    def has_folder(self, path: str) -> bool:
        """Whether a file below this folder is known."""
        ...

    def roots(self, name: str) -> tuple[str, ...]:
        """Return the folders with a top-level module or package of this name."""
        ...

    def uses(self, use: Use, name: str, besides: str) -> bool:
        """Whether a file other than ``besides`` may use the name of an attribute in this way."""
        ...


class OwnNames(Protocol):
    """The document that is being edited."""

    path: str

    def binding(self, name: str) -> Binding | None:
        """Return how the module binds a name; None if that is not certain."""
        ...

    def class_names(self, name: str) -> ClassNames | None:
        """Return what is known of a class, whose own names are not listed; None if it is not certain."""
        ...

    def may_set(self, name: str) -> bool:
        """Whether the document may set an attribute of this name."""
        ...

    def may_subclass(self, name: str) -> bool:
        """Whether the document may have a subclass of the class of this name."""
        ...

    def may_define(self, name: str) -> bool:
        """Whether a class in the document may have this name."""
        ...


@dataclass(frozen=True, slots=True)
class ModuleAt:
    """A module or package in the file at ``path``; ``stem`` is its path without a suffix, or its folder's."""

    path: str
    stem: str


@dataclass(frozen=True, slots=True)
class ClassAt:
    """A class by the file's path and its dotted name there.

    ``is_exact``: it is no subclass. ``is_instance``: an instance is meant.
    """

    path: str
    name: str
    is_exact: bool = True
    is_instance: bool = False


@dataclass(frozen=True, slots=True)
class FunctionAt:
    """A function by the file's path and its dotted name there. ``owner``: the class whose method it is."""

    path: str
    name: str
    owner: ClassAt | None = None


Meaning = ModuleAt | ClassAt | FunctionAt
