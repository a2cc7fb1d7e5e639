"""The first name in a suggestion that certainly does not exist where the suggestion uses it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from tree_sitter import Node

from copilot_server.context.source.code import Code
from copilot_server.context.source.definitions import Header
from copilot_server.workspace.names import Binding
from copilot_server.workspace.python.document import MAX_FUNCTION, SplitText, rest_of_block
from copilot_server.workspace.python.existing import Existing
from copilot_server.workspace.python.imports import read_import
from copilot_server.workspace.python.meanings import ClassAt, Meaning, NamedFiles
from copilot_server.workspace.python.nodes import dotted, one_line, parse, raw
from copilot_server.workspace.python.open_document import OpenDocument, decorators_start
from copilot_server.workspace.summary import Import
from copilot_server.workspace.types import MissingName

#: The most names that are looked at, and occurrences of one name.
_MAX_NAMES, _MAX_OCCURRENCES = 60, 200
#: How much is read after the cursor's line where a bracket is open, in code points.
_MAX_REST = 1_500
_FUNCTION_TYPES = frozenset({"function_definition", "lambda"})
_TARGETS = frozenset({"attribute", "pattern_list", "tuple_pattern", "list_pattern"})
#: Nodes in which an identifier is read and not bound.
_READING = frozenset(
    {
        *("argument_list", "attribute", "await", "binary_operator", "block", "boolean_operator", "call"),
        *("comparison_operator", "concatenated_string", "conditional_expression", "decorator", "dictionary"),
        *("dictionary_splat", "elif_clause", "expression_list", "expression_statement", "if_clause"),
        *(
            "if_statement",
            "interpolation",
            "list",
            "list_comprehension",
            "list_splat",
            "not_operator",
            "pair",
        ),
        *("parenthesized_expression", "raise_statement", "return_statement", "set", "slice", "subscript"),
        *("tuple", "type", "unary_operator", "while_statement", "with_item", "yield", "assert_statement"),
        *("generator_expression", "generic_type", "union_type", "type_parameter", "print_statement"),
        *("dictionary_comprehension", "set_comprehension", "format_expression", "member_type"),
    }
)
#: Decorators after which the first parameter is still the instance.
_METHODS = frozenset(
    {
        *("property", "cached_property", "setter", "getter", "deleter", "abstractmethod", "override"),
        *("overload", "final", "contextmanager", "asynccontextmanager", "lru_cache", "cache", "wraps"),
    }
)
_CLASS_METHODS = frozenset({"__new__", "__init_subclass__", "__class_getitem__"})
#: Conditions after which a value may have other names than its annotation says.
_NARROWING = (
    r"(?:isinstance|issubclass|hasattr|getattr|setattr|type|callable|cast)\s*\(\s*{}\b|\bmatch\s+{}\b"
)


@dataclass(frozen=True, slots=True)
class _Region:
    """The code that is parsed: the function around the cursor, or the cursor's statement.

    Offsets are in code points of the document with the suggestion in it; ``first`` is the region's first one.
    """

    source: str
    first: int
    shift: int

    def offset(self, node_byte: int, encoded: bytes) -> int:
        """Return the offset in the document of a byte of the parsed source."""
        return self.first + len(encoded[:node_byte].decode("utf-8", "replace")) - self.shift


@dataclass(frozen=True, slots=True)
class Suggested:
    """A ``text`` that is suggested at the cursor of ``split``, in the file at ``path``.

    ``headers``: the definitions around the cursor. ``imports``: those of the document. ``replaced``: how much
    of the rest of the line the text replaces, in code points.
    """

    path: str
    split: SplitText
    headers: tuple[Header, ...]
    imports: tuple[Import, ...]
    text: str
    replaced: int = 0

    @property
    def line(self) -> str:
        """The cursor's line with the text in it."""
        return self.split.prefix + self.text + self.split.suffix[self.replaced :]

    @property
    def start(self) -> int:
        """Where the text starts in the document."""
        return len(self.split.before) + len(self.split.prefix)


def judged_names(files: NamedFiles, suggested: Suggested) -> Iterator[tuple[MissingName, bool | None]]:
    """Yield the attributes, keywords and imports in a suggestion, and whether they exist.

    None means that it is not certain.
    """
    search = _Search(files, suggested)
    yield from search.judged(suggested.start, suggested.start + len(suggested.text))


class _Search:
    """Looks at the names in one suggestion."""

    def __init__(self, files: NamedFiles, suggested: Suggested) -> None:
        split = suggested.split
        self._document = OpenDocument(
            suggested.path, split.before, suggested.line, split.after, suggested.imports
        )
        self._existing = Existing(files, self._document)
        self._headers = suggested.headers
        self._region = _region(self._document.text, suggested)
        self._encoded = self._region.source.encode("utf-8", "replace")
        self._root = parse(self._encoded)
        self._meanings: dict[str, Meaning | None] = {}

    def judged(self, start: int, end: int) -> Iterator[tuple[MissingName, bool | None]]:
        """Yield the names that end after ``start`` and begin before ``end``, and whether they exist."""
        if self._root is None:
            return
        nodes = _names(self._root, self._byte(start), self._byte(end))
        for node in islice(nodes, _MAX_NAMES):
            at = self._region.offset(node.start_byte, self._encoded)
            self._document.ignored = at
            yield MissingName(raw(node), max(0, at - start)), self._exists(node)

    def _byte(self, offset: int) -> int:
        inside = offset - self._region.first + self._region.shift
        return len(self._region.source[:inside].encode("utf-8", "replace"))

    def _exists(self, node: Node) -> bool | None:
        """Whether the name of an attribute, a keyword or an import exists; None if that is not certain."""
        parent = node.parent
        if parent is None or _is_broken(node):
            return None
        if parent.type == "keyword_argument":
            call = parent.parent.parent if parent.parent is not None else None
            called = call.child_by_field_name("function") if call is not None else None
            meaning = self._meaning(called) if called is not None else None
            return self._existing.takes(meaning, raw(node)) if meaning is not None else None
        if parent.type == "attribute":
            of = parent.child_by_field_name("object")
            if of is None or self._is_set(parent) or self._is_narrowed(raw(of)):
                return None
            meaning = self._meaning(of)
            return self._existing.has(meaning, raw(node)) if meaning is not None else None
        return self._is_importable(node)

    def _is_importable(self, node: Node) -> bool | None:
        """Whether ``from module import name`` finds the name."""
        statement: Node | None = node
        while statement is not None and statement.type != "import_from_statement":
            statement = statement.parent
        if statement is None or statement.has_error:
            return None
        module = statement.child_by_field_name("module_name")
        found = self._existing.module(self._document.path, "".join(raw(module).split()))
        return self._existing.has(found, raw(node)) if found is not None else None

    def _is_set(self, attribute: Node) -> bool:
        """Whether an attribute is set here, and so exists."""
        after = self._encoded[attribute.end_byte : attribute.end_byte + 40].decode("utf-8", "replace")
        if re.match(r"\s*(?::[^=:\n]*)?(?:[-+*/%&|^@]|//|\*\*|<<|>>)?=(?!=)", after):
            return True
        target, above = attribute, attribute.parent
        while above is not None and above.type in _TARGETS:
            target, above = above, above.parent
        if above is None or above.type in {"as_pattern_target", "delete_statement"}:
            return True
        return above.type in _READ_FIELDS and target == above.child_by_field_name("left")

    def _is_narrowed(self, of: str) -> bool:
        first = re.escape(of.partition(".")[0])
        return re.search(_NARROWING.format(first, first), self._region.source) is not None

    def _meaning(self, node: Node) -> Meaning | None:
        """Return what an expression certainly means."""
        if node.type == "call":
            called = node.child_by_field_name("function")
            meaning = self._meaning(called) if called is not None else None
            return self._existing.returned(meaning) if meaning is not None else None
        name = dotted(node)
        if not name:
            return None
        first, *rest = name.split(".")
        if first not in self._meanings:
            self._meanings[first] = None  # a variable may be set to what its own value returns
            self._meanings[first] = self._first(first)
        found = self._meanings[first]
        for part in rest:
            found = self._existing.attribute(found, part) if found is not None else None
        return found

    def _first(self, name: str) -> Meaning | None:
        """Return what a name means where the suggestion stands."""
        found: list[Meaning | None] = []
        occurrences = list(re.finditer(rf"(?<![\w.]){re.escape(name)}\b", self._region.source))
        if self._root is None or len(occurrences) > _MAX_OCCURRENCES:
            return None
        for at in occurrences:
            start = len(self._region.source[: at.start()].encode("utf-8", "replace"))
            node = self._root.descendant_for_byte_range(start, start + len(name.encode("utf-8")))
            if node is None or node.type in {"string_content", "comment", "escape_sequence", "string"}:
                continue
            if node.type != "identifier":
                return None
            if not _is_read(node):
                found.append(self._bound(node))
        if not found:
            return self._existing.lookup(self._document.path, name)
        return found[0] if all(one is not None and one == found[0] for one in found) else None

    def _bound(self, node: Node) -> Meaning | None:
        """Return the value that a name gets in the region; None if it is not certain."""
        parent = node.parent
        if parent is None or _is_broken(node):
            return None
        if parent.type in {"parameters", "lambda_parameters"}:
            return self._instance(parent, node)
        annotation = one_line(parent.child_by_field_name("type"))
        if annotation and parent.type in {"typed_parameter", "typed_default_parameter", "assignment"}:
            return self._existing.instance(self._document.path, annotation)
        if parent.type == "assignment":
            right = parent.child_by_field_name("right")
            return self._meaning(right) if right is not None and right.type == "call" else None
        return self._imported(node)

    def _imported(self, node: Node) -> Meaning | None:
        """Return what an import in a function binds."""
        statement = node.parent
        while statement is not None and statement.type in {"dotted_name", "aliased_import"}:
            statement = statement.parent
        if statement is None or statement.type not in {"import_statement", "import_from_statement"}:
            return None
        first = next((one for one in read_import(statement) if one.bound == raw(node)), None)
        binding = Binding("import", first.module, first.name) if first else Binding("unknown")
        return self._existing.bound(self._document.path, "", binding)

    def _instance(self, parameters: Node, node: Node) -> Meaning | None:
        """Return what the first parameter of a method is."""
        function = parameters.parent
        is_first = parameters.named_children[:1] == [node]
        if function is None or function.type != "function_definition" or not is_first:
            return None
        owner = self._owner(function)
        if owner is None:
            return None
        whole = function.parent
        is_decorated = whole is not None and whole.type == "decorated_definition"
        decorators = {
            raw(one).lstrip("@").partition("(")[0].strip().rpartition(".")[2]
            for one in (whole.named_children if is_decorated and whole is not None else ())
            if one.type == "decorator"
        }
        name = raw(function.child_by_field_name("name"))
        is_class = "classmethod" in decorators or name in _CLASS_METHODS
        if not decorators <= _METHODS | {"classmethod"}:
            return None
        return ClassAt(self._document.path, owner, is_exact=False, is_instance=not is_class)

    def _owner(self, function: Node) -> str | None:
        """Return the class around the cursor if it has this function as a method."""
        above = function.parent
        while above is not None:
            if above.type in {"class_definition", "function_definition"}:
                return None
            above = above.parent
        functions = [one for one in self._headers if one.kind == "function"]
        outer = self._headers[: self._headers.index(functions[0])] if functions else self._headers
        # Classes in classes are not looked for by their names.
        return outer[0].name if len(outer) == 1 and outer[0].kind == "class" and not outer[0].indent else None


def _region(text: str, suggested: Suggested) -> _Region:
    """Return the function around the cursor with the suggestion in it, or only the cursor's statement."""
    split, line = suggested.split, suggested.line
    functions = [one for one in suggested.headers if one.kind == "function"]
    if functions and len(split.before) - functions[0].line_start <= 4 * MAX_FUNCTION:
        first = decorators_start(text, functions[0].line_start)
        rest = rest_of_block(split, functions[0], 2 * MAX_FUNCTION)
    else:
        first, rest = _statement(split, len(line))
    source = text[first : len(split.before) + len(line)] + rest
    opening = "if 1:\n" if source[:1] in {" ", "\t"} else ""
    return _Region(opening + source, first, len(opening))


def _statement(split: SplitText, end: int) -> tuple[int, str]:
    """Return where the statement on the cursor's line starts, and what follows the line.

    If the line starts in a string, that is where it ends.
    """
    code = Code.begun(split.text, len(split.before))
    start, state = code.logical_line(len(split.before))
    if state.quote:
        return len(split.before) + end, ""
    return start, split.after[:_MAX_REST] if state.brackets else ""


def _names(root: Node, first: int, last: int) -> Iterator[Node]:
    """Yield the attributes, keywords and imported names in a range of bytes, in order."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.end_byte <= first or node.start_byte >= last:
            continue
        if node.type == "identifier" and _may_be_missing(node):
            yield node
        waiting.extend(reversed(node.named_children))


def _may_be_missing(node: Node) -> bool:
    parent = node.parent
    if parent is None:
        return False
    if parent.type == "attribute":
        return node == parent.child_by_field_name("attribute")
    if parent.type == "keyword_argument":
        return node == parent.child_by_field_name("name")
    if parent.type != "dotted_name" or len(parent.named_children) != 1 or parent.parent is None:
        return False
    statement = parent.parent.parent if parent.parent.type == "aliased_import" else parent.parent
    is_module = statement is not None and statement.child_by_field_name("module_name") == parent
    return statement is not None and statement.type == "import_from_statement" and not is_module


def _is_broken(node: Node) -> bool:
    parent = node.parent
    return node.is_missing or parent is None or parent.type == "ERROR"


#: The part of a node in which an identifier is read, where it is bound in another.
_READ_FIELDS = {
    "assignment": "right",
    "augmented_assignment": "right",
    "default_parameter": "value",
    "for_in_clause": "right",
    "for_statement": "right",
    "named_expression": "value",
    "typed_default_parameter": "value",
}


def _is_read(node: Node) -> bool:
    """Whether an identifier is read, and not bound."""
    parent = node.parent
    if parent is None:
        return False
    if parent.type in _READ_FIELDS:
        return node == parent.child_by_field_name(_READ_FIELDS[parent.type])
    if parent.type == "as_pattern":
        return node == parent.named_children[0]
    return parent.type in {"keyword_argument", "lambda"} or parent.type in _READING
