"""The filter that takes away comments where code is expected, or where the document has none like them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

from copilot_server.completion.filters.comments import Comment, comments_in, is_in_comment
from copilot_server.completion.filters.draft import Draft, visible_lines
from copilot_server.completion.filters.scripts import scripts_in
from copilot_server.completion.scope.scope import Situation
from copilot_server.context.source.lexer import lex

#: How many lines above and below the cursor show whether comments are usual there.
_LINES_ABOVE, _LINES_BELOW = 30, 15
#: How many lines right below the cursor may have a comment that the suggestion begins with, too.
_RIGHT_BELOW = 5
#: What a chat says of its own code, and nobody of theirs.
_CHATTER = re.compile(
    r"(?i)\bin a real[- ]world\b|\bfor demonstration purposes\b|\byour (?:code|logic) (?:goes )?here\b"
)
#: Where those lines are looked for, in code points before and after the cursor.
_LOOKED_AT = 8_000

#: What cannot end an expression or a statement, so that more code must follow.
_UNFINISHED = re.compile(
    r"(?:[(\[=.]|&&|\|\||=>|->|<<|(?<!\+)\+|(?<!-)-|(?<=\s)[*/%&|^~<>!]|(?<=\()!"
    r"|(?<![\w.$])(?:return|yield|await|raise|throw|in|not|and|or|is|if|elif|while|for|import|from|as|with"
    r"|assert|del|lambda|new|typeof|case))\Z"
)
_LINE_END = re.compile(r"[ \t]*(?:\r\n|\n|\r)")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_BLANKS = " \t\r\n"


def cut_unwanted_comments(draft: Draft, situation: Situation) -> Draft | None:
    """Take away comments where code is expected, and those that differ from what the document has.

    After an open bracket, an operator or another sign that more code must follow, and inside brackets opened
    on the line, a comment is never wanted. A comment after code is wanted if lines near the cursor have some.
    So are lines that are comments and nothing else, if code follows them or lines near the cursor have some,
    unless they stand right below already, or a chat says in them that its code is no real code.
    A script that the document does not contain is never wanted. Inside a comment everything is.
    """
    if is_in_comment(situation) or situation.state.quote:
        return draft
    text = draft.text
    found = list(comments_in(text, situation.language, situation.line_prefix, situation.state))
    judge = _Judge(draft, situation)
    chatter = _chatter(text, found)
    for comment in reversed(found):
        if comment in chatter or not judge.wants(comment):
            text = _without(text, comment, situation.line_prefix)
    kept = replace(draft, text=_BLANK_LINES.sub("\n\n", text) if chatter else text)
    return kept if judge.has_code(kept) else None


@dataclass(frozen=True)
class _Judge:
    draft: Draft
    situation: Situation

    def wants(self, comment: Comment) -> bool:
        """Whether ``comment``, which is in the draft, fits where it is."""
        if comment.line_start >= self._last_line and self._replaces_comment:
            return True
        if self._foreign_scripts & scripts_in(self.draft.text[comment.start : comment.end]):
            return False
        if comment.is_alone:
            if self.draft.text[comment.start : comment.end].strip() in self._lines_right_below:
                return False
            is_first = not self.draft.text[: comment.start].strip()
            code_is_expected = is_first and self._is_in_expression(self.situation.state.brackets)
            return not code_is_expected or self._lines_are_comments
        return self._fits_after_code(comment)

    def has_code(self, draft: Draft) -> bool:
        """Whether something is left to show: code, or comments where the document has some, or begins."""
        left = draft.text
        found = comments_in(left, self.situation.language, self.situation.line_prefix, self.situation.state)
        comments = list(found)
        for comment in reversed(comments):
            left = left[: comment.start] + left[comment.end :]
        if left.strip():
            return True
        begins_document = not self.situation.cursor.prefix.strip()
        usual = self._lines_are_comments or self._code_has_comments or begins_document
        return bool(comments) and usual

    def _fits_after_code(self, comment: Comment) -> bool:
        on_cursor_line = comment.line_start == 0
        if on_cursor_line and self._continues_expression(comment):
            return False
        if comment.after.strip():  # it is between code and code, such as the name of an argument
            return True
        if comment.line_start >= self._last_line and self._line_goes_on:
            return False
        return self._code_has_comments

    def _continues_expression(self, comment: Comment) -> bool:
        begins = not self.draft.text[: comment.start].strip()
        if begins and _UNFINISHED.search(self.situation.line_prefix.rstrip()):
            return True
        opened = lex(self.situation.line_prefix, language=self.situation.language).state.brackets
        return self._is_in_expression(opened) and not comment.after.strip()

    def _is_in_expression(self, brackets: str) -> bool:
        """Whether the innermost of the open brackets contains an expression: in Python all of them do."""
        return bool(brackets) and (self.situation.language == "python" or brackets[-1] in "([")

    @cached_property
    def _last_line(self) -> int:
        text = self.draft.text
        return max(text.rfind("\n"), text.rfind("\r")) + 1

    @cached_property
    def _line_goes_on(self) -> bool:
        in_gap = self.situation.scope == "gap"
        return not in_gap and bool(self.situation.line_suffix[self.draft.replaced :].strip())

    @cached_property
    def _replaces_comment(self) -> bool:
        """Whether what the draft replaces has a comment, which the draft then has to contain."""
        suffix = self.situation.line_suffix[: self.draft.replaced]
        return any(True for _ in comments_in(suffix, self.situation.language))

    @cached_property
    def _foreign_scripts(self) -> set[str]:
        return scripts_in(self.draft.text) - scripts_in(self.situation.cursor.document.text)

    @cached_property
    def _lines_right_below(self) -> set[str]:
        cursor = self.situation.cursor
        below = visible_lines(cursor.suffix[len(cursor.line_suffix) :][:_LOOKED_AT])
        return {line.strip() for line in below[:_RIGHT_BELOW]}

    @cached_property
    def _neighbours(self) -> list[Comment]:
        """The comments near the cursor."""
        cursor = self.situation.cursor
        above = cursor.prefix[: cursor.offset - len(cursor.line_prefix)][-_LOOKED_AT:]
        below = cursor.suffix[len(cursor.line_suffix) :][:_LOOKED_AT]
        lines = [*visible_lines(above)[-_LINES_ABOVE:], *visible_lines(below)[:_LINES_BELOW]]
        return [comment for line in lines for comment in comments_in(line, self.situation.language)]

    @cached_property
    def _lines_are_comments(self) -> bool:
        return any(comment.is_alone for comment in self._neighbours)

    @cached_property
    def _code_has_comments(self) -> bool:
        return any(not comment.is_alone for comment in self._neighbours)


def _chatter(text: str, comments: list[Comment]) -> list[Comment]:
    """Return the comments of each block of lines of which one is chatter."""
    blocks: list[list[Comment]] = []
    for comment in comments:
        last = blocks[-1][-1] if blocks else None
        between = text[last.end : comment.start] if last and last.is_alone and comment.is_alone else "-"
        if between.strip() or between.count("\n") > 1:
            blocks.append([])
        blocks[-1].append(comment)
    said = (block for block in blocks if any(_CHATTER.search(text, one.start, one.end) for one in block))
    return [comment for block in said for comment in block]


def _without(text: str, comment: Comment, line_prefix: str) -> str:
    """Return ``text`` without a comment, and without its line if the comment is all that the line has."""
    if comment.after.strip():
        return text[: comment.start] + text[comment.end :].lstrip(" \t")
    if not comment.is_alone:
        return text[: comment.start].rstrip(" \t") + text[comment.end + len(comment.after) :]
    line_end = _LINE_END.match(text, comment.end)
    if line_end is None:
        return text[: comment.line_start].rstrip(_BLANKS)
    rest = text[line_end.end() :]
    if comment.line_start == 0:  # the cursor's line is indented already
        return rest.removeprefix(line_prefix) if rest.startswith(line_prefix) else ""
    return text[: comment.line_start] + rest
