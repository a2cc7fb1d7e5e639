"""``make bench``: recorded editing, replayed on copilot-server and on what a user would pick instead.

The recording. Python's standard library is the source: files of 100 to 2,000 lines, one function taken out
of each, both drawn with a seed (``corpus``). A typist (``typist``) types a stretch of the function back, key
by key, with pauses drawn once and for all; Enter puts in the next line's indentation too, as editors do.
Every key is an incremental ``textDocument/didChange`` and then a ``textDocument/inlineCompletion`` that says
it was made by typing, both to a real ``copilot-server`` process over stdio, with its default settings.

Patient replay (p50, p90, p99). Each key comes after its pause, but never before the answer to the last one,
so that every keystroke has an answer: a percentile over the answers that came in time would flatter the
slower server most. The time counts from before the change is written to when the answer has been read. Where
a suggestion's first line is what the user goes on to type, it is accepted with Tab four times out of five;
the next key then follows on it. Accepted text is text of the function, so that a place in the recording is
only a number: how much of the function stands there.

Hurried replay. The same keys at the pace of their pauses, whatever has been answered. A request that is not
answered when the next key comes is cancelled. What counts for each key is the time until a suggestion for
this or a later key was there, and the share of keys whose own suggestion came before the next key.

llama.cpp runs from the same GGUF file through the ``xllamacpp`` wheel's own HTTP server, with as many
threads as there are cores and its prompt cache on. It is asked at the same places, in the same order, one
after the other, in turns with us by function, each waiting while the other works:

- ``/infill`` as its own editor plugin asks (github.com/ggml-org/llama.vim): the lines before the cursor's as
  ``input_prefix``, the line up to the cursor as ``prompt``, what follows as ``input_suffix``, and
  ``n_cache_reuse`` 256. llama.cpp puts the suffix after the line, so each key makes it read the suffix again.
- ``/completion`` with the very prompt that our pipeline builds for infilling, where typing on a line leaves
  the beginning unchanged: llama.cpp at its best.

Both get exactly the text that our pipeline cuts from the document, so that the prompts are equally long, and
write as many tokens as our answer at that place has, one at the least, with the cheapest sampler (top_k 1).
That favours llama.cpp: tokens which we decode and cut off again, or which only complete a word that was
begun (token healing), it does not have to write; and where our answer is empty, it writes one token. At the
places where we answer with a chat (a function's body), it is asked to infill. It is given no credit for
caching in an editor, nor blamed for lacking it: the ratio over the places where our model was asked is
reported beside the ratio over all.

The engines by themselves. Texts of the standard library of 1,100 tokens, new ones each time, are read and 64
tokens written after them, in turns: our engine without drafts (the ``Engine`` interface, tokenizing
included), llama.cpp's ``/completion`` (its own timings, without HTTP and tokenizing, end of text ignored),
``transformers.generate`` in bfloat16 and in float32 on the unpacked weights of the same GGUF. Ratios are of
medians; the faster of the two dtypes stands for transformers. Decoding with drafts is measured on prompts of
the recording at which our model was asked, all tokens over all seconds, against the median of what llama.cpp
reports for its answers in the recording; it decodes as fast after one prompt as after another.

vLLM's CPU build, in bfloat16 on the unpacked weights, is for many streams: tokens a second of 32, and the
wall time of HumanEval's 164 prompts: the same token ids, greedy, the same stop text, and no more tokens than
our answer has, which spares it what we decode and cut off.

Nothing of this may run beside other work: the load of the machine is printed and recorded.
"""
