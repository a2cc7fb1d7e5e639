"""The brackets, quotes and signs that open, close and end things: the one definition for all users."""

from __future__ import annotations

#: What closes each opening bracket.
PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">"}
#: What opens each closing bracket.
OPENERS = {closer: opener for opener, closer in PAIRS.items()}
#: The closing brackets of every language, escaped for a character set of a regular expression.
CLOSING_BRACKETS = r")\]}"
QUOTES = "\"'`"
#: The signs that end a statement, an item or a header.
ENDS = ":;,"

#: Languages in which ``<`` and ``>`` can be brackets: around type arguments, tags or included files.
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
