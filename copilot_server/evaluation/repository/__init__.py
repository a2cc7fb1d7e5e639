"""``--selftest repository``: how well a model completes the code of a repository for an editor.

Nothing is executed: what the model writes is compared with what stands in the files. The stages of a run,
each a module, in this order:

1. ``files``: the source files of the repository, those that the newest commits touched first (``git``).
2. ``tasks``: a text is taken out of a file, and the cursor stands where it began. ``python`` finds where
   that makes sense in Python, with ``imports`` for names of other files. ``copies`` finds other files that
   hold the answer.
3. ``asking``: the pipeline that serves editors answers, with code of other files from ``context`` and
   without, and ``typist`` types the rest of the line with it.
4. ``measures`` compares an answer with the file. ``scores`` has shares with intervals over files, and what
   context changes; ``certainty``, how well a gate tells right suggestions from wrong ones.
5. ``report``, ``console`` and ``page``: JSON, tables, and HTML.

``types`` has the values that pass between them, and ``run`` calls them.
"""
