# SPDX-License-Identifier: Apache-2.0
"""Statistics of the timing tests, and the figures that a run reports at its end."""

from collections.abc import Sequence

FIGURES: list[str] = []


def report(figure: str) -> None:
    """One line of the run's summary."""
    FIGURES.append(figure)


def roc_auc(first: Sequence[float], second: Sequence[float]) -> float:
    """Chance that one of `second` is above one of `first` (ties count half): 0.5 tells nothing."""
    ranked = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    rank_sum = 0.0
    index = 0
    while index < len(ranked):
        end = index
        while end < len(ranked) and ranked[end][0] == ranked[index][0]:
            end += 1
        middle = (index + 1 + end) / 2
        rank_sum += middle * sum(which for _, which in ranked[index:end])
        index = end
    pairs = len(first) * len(second)
    return (rank_sum - len(second) * (len(second) + 1) / 2) / pairs


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
