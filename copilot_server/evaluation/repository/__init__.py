"""``--selftest repository``: how well a model completes the code of a repository for an editor.

Nothing is executed: what the model writes is compared with what stands in the files. The stages of a run,
each a module, in this order:

1. ``files``: the source files of the repository, those that the newest commits touched first (``git``).
2. ``tasks``: a text is taken out of a file, and the cursor stands where it began. ``python`` finds where
   that makes sense in Python, with ``imports`` for names of other files. ``copies`` finds other files that
   hold the answer.
3. ``asking``: the pipeline that serves editors answers, and ``typist`` types the rest of the line with it.
4. ``scores``: shares with intervals over files, and differences between runs with and without context.
5. ``report``, ``console`` and ``page``: JSON, tables, and HTML.

``types`` has the values that pass between them, and ``run`` calls them.
"""
