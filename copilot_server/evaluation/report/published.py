"""Published HumanEval figures in percent, to compare the score of a run with."""

from __future__ import annotations

from dataclasses import dataclass, field

CODEX_PAPER = "Chen et al. 2021, arXiv 2107.03374, tables 1 and 6"
QWEN_REPORT = "Qwen2.5-Coder Technical Report, arXiv 2409.12186"
CODEGEN_PAPER = "Nijkamp et al. 2022, arXiv 2203.13474"

#: How the figures of a family were measured.
SAMPLED = "plain continuation, best temperature for each k"
GREEDY = "plain continuation, greedy"
CHAT = "chat prompt, greedy"


@dataclass(frozen=True, slots=True)
class Published:
    """The published figures of a model: ``pass_at`` by k. ``parameters`` is the number in its name."""

    name: str
    parameters: float
    pass_at: dict[int, float]


@dataclass(frozen=True, slots=True)
class Family:
    """Models of different sizes, the smallest first, that were measured in the same way."""

    name: str
    method: str
    source: str
    models: tuple[Published, ...] = field(repr=False)


def _family(name: str, method: str, source: str, rows: dict[str, tuple[float, ...]]) -> Family:
    """``rows``: for each model its parameters in millions, pass@1 and, if published, pass@10 and pass@100."""
    models = tuple(
        Published(model, millions * 1e6, dict(zip((1, 10, 100), figures, strict=False)))
        for model, (millions, *figures) in rows.items()
    )
    return Family(name, method, source, models)


FAMILIES = (
    _family(
        "Codex",
        SAMPLED,
        CODEX_PAPER,
        {
            "Codex-12M": (12, 2.00, 3.62, 8.58),
            "Codex-25M": (25, 3.21, 7.1, 12.89),
            "Codex-42M": (42, 5.06, 8.8, 15.55),
            "Codex-85M": (85, 8.22, 12.81, 22.4),
            "Codex-300M": (300, 13.17, 20.37, 36.27),
            "Codex-679M": (679, 16.22, 25.7, 40.95),
            "Codex-2.5B": (2500, 21.36, 35.42, 59.5),
            "Codex-12B": (12_000, 28.81, 46.81, 72.31),
        },
    ),
    _family(
        "GPT-Neo",
        SAMPLED,
        CODEX_PAPER,
        {
            "GPT-Neo 125M": (125, 0.75, 1.88, 2.97),
            "GPT-Neo 1.3B": (1300, 4.79, 7.47, 16.30),
            "GPT-Neo 2.7B": (2700, 6.41, 11.27, 21.37),
        },
    ),
    _family("GPT-J", SAMPLED, CODEX_PAPER, {"GPT-J 6B": (6000, 11.62, 15.74, 27.74)}),
    _family("CodeGen", SAMPLED, CODEGEN_PAPER, {"CodeGen-350M-mono": (350, 12.8)}),
    _family(
        "Qwen2.5-Coder Instruct",
        CHAT,
        QWEN_REPORT,
        {
            "Qwen2.5-Coder 0.5B Instruct": (500, 61.6),
            "Qwen2.5-Coder 1.5B Instruct": (1500, 70.7),
            "Qwen2.5-Coder 3B Instruct": (3000, 84.1),
            "Qwen2.5-Coder 7B Instruct": (7000, 88.4),
        },
    ),
    _family(
        "Qwen2.5-Coder",
        GREEDY,
        QWEN_REPORT,
        {
            "Qwen2.5-Coder 0.5B": (500, 28.0),
            "Qwen2.5-Coder 1.5B": (1500, 43.9),
            "Qwen2.5-Coder 3B": (3000, 52.4),
            "Qwen2.5-Coder 7B": (7000, 61.6),
        },
    ),
    _family(
        "DeepSeek-Coder",
        GREEDY,
        QWEN_REPORT,
        {"DeepSeek-Coder 1.3B": (1300, 34.8), "DeepSeek-Coder 6.7B": (6700, 47.6)},
    ),
    _family(
        "StarCoder2",
        GREEDY,
        QWEN_REPORT,
        {"StarCoder2 3B": (3000, 31.7), "StarCoder2 7B": (7000, 35.4)},
    ),
)
