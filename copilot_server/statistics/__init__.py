"""Statistics of what became of the suggestions. They stay on this machine and contain no source code.

A language server learns of edits and requests, but seldom of what is on the user's screen. A suggestion takes
this path through the package: the server calls ``recorder``; ``tracker`` infers what became of the suggestion
from edits (``ghost``), from time, and from how much of it is left later (``survival``); ``store`` saves one
row for each suggestion in SQLite; ``figures`` reads the rows, and ``screen`` shows them.

``copilot-server stats`` uses these terms:

offered
    The server sent it to the editor. The same text offered again at the same position, as happens while the
    user types through it, is the same suggestion.
shown
    The editor reported so, or it was on offer for at least a quarter of a second, or some of it was accepted.
    Nobody sees a suggestion that appears only between two keystrokes.
accepted
    The editor reported so, or the text was inserted up to its end in pieces that no single key inserts: all
    at once, or word by word.
partly accepted
    Such an insertion took a part of it, such as a word or a line, but not its end.
typed by hand
    The user typed all of it key by key. The suggestion was right, but was not accepted.
kept
    It was accepted or partly accepted, and what was taken is still there 30 s or 5 min later
    (``survival.still_there``). If the document was closed before that, this is unknown and does not count.
accepted characters, retained characters
    The code points that were accepted, and those of them that belong to suggestions that were kept for 5 min.
    The rate is of those that belong to suggestions that were looked at after 5 min: the others were accepted
    since, or their document was closed before.
eagerness
    The setting ``completion.eagerness`` when the suggestion was first offered. It holds back none that the
    user asks for, but those count under it too. It is unknown for suggestions from before it was stored.
"""
