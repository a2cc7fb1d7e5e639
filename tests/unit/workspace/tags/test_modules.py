"""Which files an import means."""

from __future__ import annotations

import pytest

from copilot_server.workspace.tags.modules import (
    go_folders,
    is_header,
    is_relative,
    matched,
    parts_of,
    script_files,
)


def test_relative_imports_of_scripts():
    found = script_files("/w/src/a/main.ts", "../store")
    assert found[:2] == ("/w/src/store", "/w/src/store.ts")
    assert "/w/src/store/index.ts" in found
    assert script_files("/w/src/main.ts", "./store.js")[0] == "/w/src/store.ts"
    assert "/w/src/store.js" in script_files("/w/src/main.ts", "./store.js")
    assert [is_relative(one) for one in ("./a", "../a", ".", "..", "a", "@/a", ".a")] == [True] * 4 + [
        False
    ] * 3


def test_the_folders_of_a_package_of_go():
    found = list(go_folders("/w/cmd/app/main.go", "example.com/shop/store", ["/w"]))
    assert "/w/store" in found
    assert "/w/shop/store" in found
    assert all(one == "/w" or one.startswith("/w/") for one in found)
    assert list(go_folders("/w/main.go", "encoding/json", ["/w"])) == []


MATCHED = [
    ("/w/src/models/store.ts", "@/models/store", "script", True),
    ("/w/src/store.ts", "@/models/store", "script", True),
    ("/w/src/store.ts", "react", "script", False),
    ("/w/src/a/store.rs", "crate::a::store", "rust", True),
    ("/w/my-crate/src/lib.rs", "my_crate", "rust", True),
    ("/w/src/io.rs", "std::io", "rust", False),
    ("/w/src/item.rs", "serde", "rust", False),
    ("/w/src/com/shop/store/Store.java", "com.shop.store", "java", True),
    ("/w/src/com/shop/util/Store.java", "com.shop.store", "java", False),
    ("/w/src/java/util/List.java", "java.util", "java", False),
    ("/w/include/core/store.h", "core/store.h", "c", True),
    ("/w/include/core/store.h", "../core/store.h", "c", True),
    ("/w/include/other/store.h", "core/store.h", "c", False),
]


@pytest.mark.parametrize(("path", "module", "family", "expected"), MATCHED)
def test_whether_an_import_may_mean_a_file(path: str, module: str, family: str, expected: bool):
    assert bool(matched(path, module, family)) is expected


def test_parts_of_a_path():
    assert parts_of("/w/src/store/mod.rs") == ["w", "src", "store"]
    assert parts_of("/w/src/store.d.ts") == ["w", "src", "store"]
    assert [is_header(one) for one in ("a.h", "a.hpp", "a.c", "a.cpp")] == [True, True, False, False]
