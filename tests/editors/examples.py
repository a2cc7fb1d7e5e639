"""Functions whose docstrings have examples: one that the model gets right, and one that nobody can."""

_FUNCTION = '''def add(a, b):
    """Return the sum of a and b.

    >>> add(2, 3)
    {result}
    """
    '''

#: The document, up to the cursor. What passes an example that is right fails one that is wrong.
ADD, IMPOSSIBLE = _FUNCTION.format(result=5), _FUNCTION.format(result=6)
