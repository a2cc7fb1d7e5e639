"""Many simulated editors on one engine: what each of them sees, and what the engine is asked for.

Each editor is what stands on a desk: a ``copilot-server`` process over stdio with ``--engine URL`` (or
none: the model runs in it, ``local``) and its default settings. A typist (``benchmarks.bench.typist``:
pauses of 0.2 s on average) types functions of Python's standard library back into their files at the pace
of the pauses, whatever has been answered. Each key is a change and a request; one that is not answered when
the next key comes is cancelled; a suggestion that is what comes next is accepted four times out of five.
The editors begin within two seconds of each other, each with functions of its own.

Counted by the editors: for each key whether its own answer came before the next, how long that took, and
whether it showed anything. Counted by the servers (``copilotServer/stats``): how requests were answered,
and how many were given up before the engine was asked and while it ran. Counted by the engine (its metrics
for Prometheus): the tokens that it read and wrote. A request is lost if it has no answer at all, not even
that it was cancelled, a minute after the last key.

``--slower N``: every pause is so many times as long, as of people who think more than they type.

``--kill``: the engine is killed when half of the time is over and started again at once. Every editor must
then get an answer of the engine's once more.
"""
