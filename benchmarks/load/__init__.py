"""Many simulated editors with one engine: what each of them sees, and the load of the engine.

Each editor is a ``copilot-server`` process over stdio with ``--engine URL`` and its default settings, or
without a URL (``local``), so that the model runs in it. A typist (``benchmarks.bench.typist``, with pauses
of 0.2 s on average) types functions of Python's standard library back into their files at the pace of the
pauses, whether or not there is an answer. Each key is a change and a request. A request without an answer
is cancelled when the next key is pressed. A suggestion that continues with the right text is accepted four
times out of five. The editors start within two seconds of each other, and each has functions of its own.

The editors record for each key whether its answer came before the next key, how long it took, and whether
it showed anything. The servers count (``copilotServer/stats``) how requests were answered, and how many
were cancelled before the engine ran and while it ran. The engine counts the tokens that it read and wrote
in its metrics for Prometheus. A request is lost if it has no answer a minute after the last key, not even
that it was cancelled.

``--slower N`` multiplies every pause, as for people who think more than they type.

``--kill`` kills the engine after half of the time and restarts it at once. Every editor must then get an
answer from the engine again.
"""
