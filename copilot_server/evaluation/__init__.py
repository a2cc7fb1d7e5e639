"""Benchmarks of code completion: the score of a model as it is served to an editor.

``selftest`` runs the stages of an evaluation, each a module, in this order:

1. ``tasks``: the documents to complete. ``benchmarks`` makes them from the problems in ``problems``.
2. ``sampling``: completions from the model, or those in a ``samples_file``.
3. ``execution``: each completion runs in a sandbox together with its test.
4. ``scores``: pass@k with confidence intervals.
5. ``report``: the console, the JSON and the HTML.

``types`` has the values that pass between them. ``compare`` compares two runs.
"""
