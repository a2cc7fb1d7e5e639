"""Which characters open, close and end things, in one place for all that look at them."""

from __future__ import annotations

#: What closes each opening bracket.
PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">"}
#: What opens each closing bracket.
OPENERS = {closer: opener for opener, closer in PAIRS.items()}
#: The closing brackets of every language, for a set in a regular expression.
CLOSING_BRACKETS = r")\]}"
QUOTES = "\"'`"
#: What ends a statement, an item or a header.
ENDS = ":;,"

#: Languages in which ``<`` and ``>`` can be brackets: of type arguments, of tags, of included files.
ANGLE_LANGUAGES = frozenset(
    {
        *(
            "c",
            "cpp",
            "cuda-cpp",
            "objective-c",
            "objective-cpp",
            "csharp",
            "java",
            "kotlin",
            "swift",
            "dart",
        ),
        *("rust", "typescript", "typescriptreact", "javascript", "javascriptreact", "groovy", "fsharp"),
        *("html", "xml", "xsl", "vue", "svelte", "astro", "php", "handlebars", "razor", "jsp", "erb"),
        *("dart", "markdown"),
    }
)
