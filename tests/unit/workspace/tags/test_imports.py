"""What a text imports, in every language."""

from __future__ import annotations

import pytest

from copilot_server.workspace.tags.imports import MAX_IMPORTS, read_imports

READ = {
    "script": (
        "import React, { type Item, Store as S } from './store';\n"
        'import * as all from "../x";\n'
        "import {\n  First,\n  Second,\n} from '@/many';\nimport './effect.css';\nexport * from './y';\n"
        "export { a as b, default } from './z';\nconst { f, g: h } = require('./f');\n"
        "const whole = require('w');\n"
        "const text = 'import a from';\nexport const n = f('x');\n",
        [
            ("./store", "Item", "Item"),
            ("./store", "Store", "S"),
            ("./store", "default", "React"),
            ("../x", "", "all"),
            ("@/many", "First", "First"),
            ("@/many", "Second", "Second"),
            ("./y", "*", ""),
            ("./z", "a", "b"),
            ("./z", "default", "default"),
            ("./f", "f", "f"),
            ("./f", "g", "h"),
            ("w", "", "whole"),
        ],
    ),
    "go": (
        'package a\n\nimport "fmt"\nimport (\n\t"example.com/shop/go-store"\n\tst "example.com/x/v2"\n'
        '\t"example.com/y/v3"\n\t. "example.com/dot"\n\t_ "example.com/effect"\n)\n',
        [
            ("fmt", "", "fmt"),
            ("example.com/shop/go-store", "", "store"),
            ("example.com/x/v2", "", "st"),
            ("example.com/y/v3", "", "y"),
            ("example.com/dot", "*", ""),
            ("example.com/effect", "", "_"),
        ],
    ),
    "rust": (
        "use crate::a::{self, B, c::{D as E, f}};\n"
        "pub use super::g::*;\npub(crate) use std::io;\nfn main() {}\n",
        [
            ("crate", "a", "a"),
            ("crate::a", "B", "B"),
            ("crate::a::c", "D", "E"),
            ("crate::a::c", "f", "f"),
            ("super::g", "*", ""),
            ("std", "io", "io"),
        ],
    ),
    "java": (
        "package a;\nimport java.util.List;\nimport static com.shop.Store.LIMIT;\nimport com.shop.model.*;\n",
        [
            ("java.util", "List", "List"),
            ("com.shop.Store", "LIMIT", "LIMIT"),
            ("com.shop.model", "*", ""),
        ],
    ),
    "c": (
        '#include <stdio.h>\n#include "core/store.h"\n  # include "item.h"\nusing shop::model::Item;\n',
        [("core/store.h", "*", ""), ("item.h", "*", ""), ("shop::model", "Item", "Item")],
    ),
}


@pytest.mark.parametrize("family", READ)
def test_imports(family: str):
    text, expected = READ[family]
    assert [(one.module, one.name, one.bound) for one in read_imports(text, family)] == expected


@pytest.mark.parametrize("family", READ)
def test_unfinished_imports_are_read_as_far_as_they_go(family: str):
    text, expected = READ[family]
    for end in range(len(text)):
        assert len(read_imports(text[:end], family)) <= len(expected) + 1


@pytest.mark.parametrize("family", READ)
def test_hostile_text(family: str):
    for piece in (
        "use a::{",
        "import {",
        "import (",
        "export ",
        '#include "',
        "const a = require(",
        "import a.",
        "{",
    ):
        for text in (piece * 3_000, f"{piece}\n" * 3_000):
            assert len(read_imports(text, family)) <= MAX_IMPORTS
