"""A local Copilot: a language server that completes code with a model on the user's own machine."""

# Written here and read by the build: looking it up at run time costs a tenth of a second of every start.
__version__ = "0.2.0"
