"""What became of the suggestions: counted on this machine, kept on this machine, and no source with it.

A language server hears of edits and requests, and seldom of what its suggestions look like on the screen. The
path of a suggestion through this package: ``recorder`` is what the server calls; ``tracker`` infers what
became of each suggestion, from edits (``ghost``), from time, and from what is left of it later
(``survival``); ``store`` keeps one row a suggestion in SQLite; ``figures`` reads them, ``screen`` shows them.

The words, as ``copilot-server stats`` uses them:

offered
    Sent to the editor. The same text offered again at the same place, as while it is being typed through,
    is the same suggestion.
shown
    The editor said so, or it stood for a quarter of a second before it was superseded; or some of it was
    accepted. A suggestion that flits by between two keys was not seen by anyone.
accepted
    The editor said so, or the text came into the document by insertions no key makes, up to its end: at
    once, or word by word.
partly accepted
    Such an insertion took some of it (a word, a line), and not its end.
typed by hand
    All of it came into the document key by key. The suggestion was right, and not accepted.
kept
    Of those accepted or partly accepted: what was taken is still there, 30 s or 5 min later
    (``survival.still_there``). Unknown, and left out, where the document was closed before.
"""
