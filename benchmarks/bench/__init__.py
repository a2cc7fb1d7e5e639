"""``make bench``: recorded editing, replayed with copilot-server and with what users could choose instead.

The recording. The source is Python's standard library: files of 100 to 2,000 lines, with one function
removed from each; a seed determines both choices (``corpus``). A typist (``typist``) types a part of the
function back, key by key, with pauses that the seed determines, too. Enter also inserts the indentation of
the next line, as editors do. Every key is an incremental ``textDocument/didChange`` and a
``textDocument/inlineCompletion`` that says that typing triggered it. Both go to a real ``copilot-server``
process over stdio with its default settings.

The patient replay (p50, p90, p99). Each key comes after its pause, but never before the answer to the last
key, so that every keystroke has an answer: percentiles over only the answers that came in time would
flatter the slower server most. The time counts from before the change is written until the answer has been
read. If the first line of a suggestion is what the user types next, Tab accepts it four times out of five,
and the next key follows it. Accepted text is text of the function, so a position in the recording is only a
number: how much of the function is there.

The hurried replay. The same keys come at the pace of their pauses, whether or not there are answers. The
next key cancels a request without an answer. Two figures count for each key: the time until there was a
suggestion for this or a later key, and whether its own suggestion came before the next key.

llama.cpp runs from the same GGUF file with the HTTP server of the wheel ``xllamacpp``, with as many threads
as there are cores and with its prompt cache. It gets the same positions in the same order, one after the
other, and takes turns with our server function by function, so that only one of them works at a time:

- ``/infill`` gets what llama.cpp's own editor plugin sends (github.com/ggml-org/llama.vim): the lines
  before that of the cursor as ``input_prefix``, the line up to the cursor as ``prompt``, the text after it
  as ``input_suffix``, and ``n_cache_reuse`` 256. llama.cpp puts the suffix after the line, so it reads the
  suffix again for each key.
- ``/completion`` gets the infilling prompt of our pipeline, whose beginning stays the same while a line is
  typed: llama.cpp at its best.

Both get the text that our pipeline takes from the document, so that the prompts have the same length, and
write as many tokens as our answer at that position has, at least one, with the cheapest sampler (top_k 1).
This favours llama.cpp: it need not write tokens that we generate and remove again, or that only complete a
word (token healing), and where our answer is empty, it writes one token. Where we answer with a chat (in
the body of a function), it gets an infilling prompt. Caching in the editor is neither credited to it nor
held against it: the ratio over the positions where our model wrote what was suggested is reported beside
the ratio over all.

The engines without servers. New texts of the standard library with 1,100 tokens are read, and 64 tokens are
written after them, in turns: our engine without drafts (through the ``Engine`` interface, including
tokenizing), llama.cpp's ``/completion`` (its own timings, without HTTP and tokenizing, ignoring the end of
text), and ``transformers.generate`` in bfloat16 and in float32 with the unpacked weights of the same GGUF.
Ratios are of medians; transformers is represented by the faster number format. Decoding with drafts is
measured with the prompts of the recording for which our model ran, as all tokens divided by all seconds,
and compared with the median of the speeds that llama.cpp reports in the recording; its speed does not
depend on the prompt.

vLLM's CPU build, in bfloat16 with the unpacked weights, is for many streams: tokens per second of 32
streams, and the wall time of HumanEval's 164 prompts. It gets the same token ids, greedy decoding, the same
stop texts, and no more tokens than our answer has, so it does not write what we generate and remove again.

Nothing else may run at the same time: the load of the machine is printed and recorded.
"""
