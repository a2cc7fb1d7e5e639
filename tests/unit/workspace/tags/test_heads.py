"""The heads of definitions, in sources that are whole, broken, or hostile."""

from __future__ import annotations

import random

import pytest

from copilot_server.context.source import parsing
from copilot_server.workspace.languages import SUFFIXES, summarize
from copilot_server.workspace.summary import Definition, FileSummary
from copilot_server.workspace.tags import grammars
from copilot_server.workspace.tags.heads import MAX_DEFINITIONS, MAX_MEMBERS
from tests.support.language_projects import PROJECTS

SOURCES = {
    f"{language}:{name}": (name, text)
    for language, project in PROJECTS.items()
    for name, text in project.files.items()
    if text and name.endswith(SUFFIXES)
}

WHOLE = {
    "a.ts": """
import { Item } from './item';
/**
 * Keeps things.
 * @see Item
 */
@Injectable({ a: 1 })
export class Store<T> extends Base<T> implements Closer {
  private hidden = 1;
  #secret = 2;
  static limit: number = 3;
  constructor(readonly path: string) { super(); }
  /* Gets. */
  async get(key: string, // the key
            options?: Options): Promise<T | undefined> { function inner() {} }
  handler = (event: Event): void => { const local = 1; };
}
export const open = async (path: string): Promise<Store<Item>> => new Store(path);
export type Mode = 'read' | 'write';
export const LIMIT = 3, MORE = 4;
function outer() { class Inner {} }
declare function f(a: string): void;
namespace ns { export function g(): void {} }
""",
    "a.rs": """
/// Keeps things.
#[derive(Debug)]
pub struct Store<T> { pub path: String, count: usize }
pub struct Pair(pub u8, u8);
impl<T: Clone> Store<T> {
    pub const LIMIT: usize = 3;
    pub fn new(path: &str) -> Self { fn inner() {} }
    pub(crate) async fn get(&self, key: &str) -> Option<&T> where T: Send { None }
    fn hidden(&self) {}
}
impl<T> fmt::Display for Store<T> { fn fmt(&self) {} }
#[cfg(test)]
mod tests { fn in_tests() {} }
macro_rules! shout { () => {} }
""",
    "a.go": """package a

// Store keeps things.
type Store[T any] struct {
	*Base
	Path, Name string
}

func (s *Store[T]) Get(key string) (T, error) { return nil, nil }

const (
	First = iota
	Second
)

func Open(path string,
	limit int) *Store[int] {
	var local = 1
}
""",
    "a.hpp": """
namespace shop {
template <typename T>
class Store : public Base<T>, private Other {
  int hidden;
 public:
  Store(int a) : hidden(a) {}
  ~Store();
  T* get(const std::string& key) const;
  bool operator==(const Store& other) const;
  static constexpr int limit = 3;
 protected:
  int kept;
 private:
  void secret();
};
}
#define SQUARE(x) ((x) * (x))
""",
}
HEADS = {
    "a.ts": [
        "Store: export class Store<T> extends Base<T> implements Closer // Keeps things.",
        ".limit: static limit: number = 3",
        ".constructor: constructor(readonly path: string)",
        ".get: async get(key: string, options?: Options): Promise<T | undefined>",
        ".handler: handler = (event: Event): void",
        "open: export const open = async (path: string): Promise<Store<Item>>",
        "Mode: export type Mode = 'read' | 'write'",
        "LIMIT: export const LIMIT = 3",
        "MORE: MORE = 4",
        "outer: function outer()",
        "f: declare function f(a: string): void",
        "g: export function g(): void",
    ],
    "a.rs": [
        "Store: pub struct Store<T> // Keeps things.",
        ".path: pub path: String",
        ".LIMIT: pub const LIMIT: usize = 3",
        ".new: pub fn new(path: &str) -> Self",
        ".get: pub(crate) async fn get(&self, key: &str) -> Option<&T> where T: Send",
        "Pair: pub struct Pair(pub u8, u8)",
        "shout: macro_rules! shout",
    ],
    "a.go": [
        "Store: type Store[T any] struct // Store keeps things.",
        ".Path: Path, Name string",
        ".Name: Path, Name string",
        ".Get: func (s *Store[T]) Get(key string) (T, error)",
        "First: First = iota",
        "Second: Second",
        "Open: func Open(path string, limit int) *Store[int]",
    ],
    "a.hpp": [
        "Store: template <typename T> class Store : public Base<T>, private Other",
        ".Store: Store(int a)",
        ".get: T* get(const std::string& key) const",
        ".limit: static constexpr int limit = 3",
        ".kept: int kept",
        "SQUARE: #define SQUARE(x) ((x) * (x))",
    ],
}


def written(one: Definition, dot: str = "") -> list[str]:
    doc = f" // {one.doc}" if one.doc else ""
    return [
        f"{dot}{one.name}: {one.head}{doc}",
        *(line for part in one.members for line in written(part, ".")),
    ]


@pytest.mark.parametrize("name", WHOLE)
def test_the_heads_of_a_file(name: str):
    summary = summarize(name, WHOLE[name])
    assert [line for one in summary.definitions for line in written(one)] == HEADS[name]
    assert FileSummary.from_json(summary.to_json()) == summary


def test_bases():
    of = {name: summarize(name, text).definitions[0].bases for name, text in WHOLE.items()}
    assert of == {
        "a.ts": ("Base", "Closer"),
        "a.rs": ("fmt::Display",),
        "a.go": ("Base",),
        "a.hpp": ("Base", "Other"),
    }


def test_types():
    summary = summarize("a.ts", WHOLE["a.ts"] + "const s = new Store('');\nconst t = ns.make();\n")
    found = {one.name: one.type for one in summary.definitions}
    assert (found["open"], found["s"], found["t"]) == ("Promise<Store<Item>>", "Store", "ns.make()")


def test_what_is_kept_is_limited():
    many = "".join(f"export function f{number}(): void {{}}\n" for number in range(MAX_DEFINITIONS + 9))
    assert len(summarize("a.ts", many).definitions) == MAX_DEFINITIONS
    members = "".join(f"  f{number}(): void;\n" for number in range(MAX_MEMBERS + 9))
    (one,) = summarize("a.ts", f"interface A {{\n{members}}}\n").definitions
    assert len(one.members) == MAX_MEMBERS
    (long,) = summarize("a.ts", "function f(" + "a: string,\n" * 999 + "b: string) {}").definitions
    assert len(long.head) <= 300


def names(suffix_of: str, text: str) -> set[str]:
    return set(summarize(suffix_of, text).names())


class TestBrokenSources:
    @pytest.mark.parametrize("source", SOURCES)
    def test_every_beginning_is_read(self, source: str):
        name, text = SOURCES[source]
        for end in range(len(text)):
            assert isinstance(summarize(name, text[:end]), FileSummary)

    @pytest.mark.parametrize("source", SOURCES)
    def test_a_beginning_still_has_what_stands_before_the_break(self, source: str):
        name, text = SOURCES[source]
        whole = names(name, text)
        kept = [names(name, text[:end]) & whole for end in range(len(text) // 2, len(text))]
        assert max(map(len, kept)) >= len(whole) - 1

    @pytest.mark.parametrize("source", SOURCES)
    def test_changed_bytes(self, source: str):
        name, text = SOURCES[source]
        chosen = random.Random(source)
        for _ in range(60):
            data = bytearray(text.encode())
            for _ in range(chosen.randrange(1, 6)):
                data[chosen.randrange(len(data))] = chosen.choice(
                    [*b"(){}[]<>\"'`/*\\\n;:", chosen.randrange(256)]
                )
            assert isinstance(summarize(name, data.decode("utf-8", "replace")), FileSummary)

    @pytest.mark.parametrize("suffix", SUFFIXES)
    @pytest.mark.parametrize(
        "piece", ["(", "{", "[", "<", "a.b(", "class A {", "fn f() {", "`${", "/*", "if(a)"]
    )
    def test_deep_nesting(self, suffix: str, piece: str):
        assert isinstance(summarize(f"a{suffix}", f"{piece}\n" * 2_000), FileSummary)

    def test_lone_surrogates_are_no_error(self):
        assert isinstance(summarize("a.ts", "function f\ud800() {}"), FileSummary)


#: Parsers need work that grows with the square of the length of these.
SLOW = {
    "steps": ("&::\n", grammars.C),
    "more steps": ("*;<\n", grammars.C),
    "reads": ("/*\n", grammars.TYPESCRIPT),
}


class TestWork:
    """A parse ends after work that grows with the length of the source, which is counted and not timed."""

    @pytest.mark.parametrize("what", SLOW)
    def test_a_source_that_takes_too_much_work_is_given_up(self, what: str):
        piece, grammar = SLOW[what]
        assert grammars.parse((piece * 1_000).encode(), grammar) is None

    @pytest.mark.parametrize("what", SLOW)
    def test_a_short_one_is_read(self, what: str):
        piece, grammar = SLOW[what]
        assert grammars.parse((piece * 20).encode(), grammar) is not None

    @pytest.mark.parametrize("what", SLOW)
    def test_without_the_limits_the_same_source_is_read(self, what: str, monkeypatch: pytest.MonkeyPatch):
        piece, grammar = SLOW[what]
        monkeypatch.setattr(parsing, "MIN_STEPS", 1_000_000)
        monkeypatch.setattr(parsing, "MIN_READS", 1_000_000)
        assert grammars.parse((piece * 1_000).encode(), grammar) is not None

    @pytest.mark.parametrize("source", SOURCES)
    def test_real_sources_are_far_from_the_limits(self, source: str, monkeypatch: pytest.MonkeyPatch):
        name, text = SOURCES[source]
        expected = summarize(name, text * 20)
        monkeypatch.setattr(parsing, "MIN_STEPS", 100)
        monkeypatch.setattr(parsing, "MIN_READS", 30)
        monkeypatch.setattr(parsing, "STEPS_PER_BYTE", parsing.STEPS_PER_BYTE / 2)
        assert summarize(name, text * 20) == expected != FileSummary()
