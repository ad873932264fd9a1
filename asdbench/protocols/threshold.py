"""Decision thresholds from training scores."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np

from asdbench.core.errors import UsageError
from asdbench.core.numbers import parse_float
from asdbench.protocols.metrics import Scores

QUANTILE = 0.9
LEVEL = 0.01  # of the test that a fitted distribution has about the wanted share of the training scores above
ROUNDING = 1e-9  # 20 * 0.05 is 1, whatever the last digits say
PER_DOMAIN = ",per-domain"


@dataclass(frozen=True)
class Threshold:
    """A clip is called anomalous when its score lies above ``value``; ``method`` says where that comes from.

    ``note`` is what the user should know of it: that a fitted distribution was not used, for instance; mostly empty.
    """

    value: float
    method: str
    note: str = ""


@dataclass(frozen=True)
class ThresholdRule:
    """How a threshold follows from the scores of training clips that the scorer had not seen.

    "gamma" is the official baselines' rule, the quantile of a gamma distribution fitted to the scores. "false-alarms"
    is the smallest threshold above which a new normal clip lies with a probability of at most ``number``: the
    ``ceil((n + 1)(1 - number))``-th smallest of n scores (split conformal prediction: Vovk et al., Algorithmic
    Learning in a Random World, 2005). It holds for clips that are exchangeable with the training clips.

    Attributes:
        kind: "gamma", "false-alarms" or "fixed".
        number: the quantile, the rate, or the threshold itself.
        per_domain: fit a threshold to each domain and take the largest, since a new clip's domain is not known: the
            rate then holds within every domain.

    Examples:
        >>> from asdbench.protocols import ThresholdRule
        >>> import numpy as np
        >>> ThresholdRule.parse("false-alarms:0.1").fit(np.arange(19.0)).value
        17.0
    """

    kind: Literal["gamma", "false-alarms", "fixed"] = "gamma"
    number: float = QUANTILE
    per_domain: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """``gamma:0.9``, ``false-alarms:0.05``, or a threshold, 12.5; ``text`` of a rule gives that rule.

        Raises:
            UsageError: it is none of these, or a quantile or rate does not lie between 0 and 1.
        """
        plain = text.strip().removesuffix(PER_DOMAIN)
        kind, colon, number = plain.partition(":")
        try:
            value = parse_float(number if colon else plain)
        except ValueError as error:
            raise UsageError(f"A threshold is gamma:0.9, false-alarms:0.05 or a number, not '{text}'.") from error
        if colon and kind not in ("gamma", "false-alarms"):
            raise UsageError(f"A threshold is gamma:0.9, false-alarms:0.05 or a number, not '{text}'.")
        return cls._checked("fixed" if not colon else kind, value, plain != text.strip())  # type: ignore[arg-type]

    @classmethod
    def asked(cls, threshold: str | float | None, false_alarms: float | None, per_domain: bool = False) -> Self:
        """The rule that options ask for; without any of them the default.

        Raises:
            UsageError: both are given, or one is not as ``parse`` takes it.
        """
        if threshold is not None and false_alarms is not None:
            raise UsageError(
                f"A rate of false alarms ({false_alarms:g}) and a threshold ({threshold}) were asked for; each of them "
                "sets the threshold. Give one of them."
            )
        if false_alarms is not None:
            return cls._checked("false-alarms", false_alarms, per_domain)
        rule = cls() if threshold is None else cls.parse(str(threshold))
        return cls._checked(rule.kind, rule.number, per_domain or rule.per_domain)

    @classmethod
    def _checked(cls, kind: Literal["gamma", "false-alarms", "fixed"], number: float, per_domain: bool) -> Self:
        if kind != "fixed" and not 0 < number < 1:
            what = "quantile of a gamma distribution" if kind == "gamma" else "rate of false alarms"
            raise UsageError(f"A {what} lies between 0 and 1, 0.05 for instance; {number:g} does not.")
        if kind == "fixed" and per_domain:
            raise UsageError(f"A threshold of {number:g} is the same in every domain: leave out per-domain.")
        return cls(kind, number, per_domain)

    @property
    def text(self) -> str:
        """As ``parse`` takes it."""
        number = repr(self.number).removesuffix(".0")
        return (number if self.kind == "fixed" else f"{self.kind}:{number}") + PER_DOMAIN * self.per_domain

    @property
    def fewest(self) -> int:
        """Training clips that the rule needs, in each domain where it holds per domain."""
        return math.ceil(1 / self.number - ROUNDING) - 1 if self.kind == "false-alarms" else 1

    def require(self, clips: int, what: str = "") -> None:
        """Refuse a rate that so few training clips cannot promise.

        Args:
            clips: training clips of a section, or of a domain of it where the rule holds per domain.
            what: clips they are, " of fan, section 00", for the message.

        Raises:
            UsageError: it is smaller than ``1 / (clips + 1)``.
        """
        if clips < self.fewest:
            raise UsageError(
                f"{clips} training clips{what} cannot promise a false-alarm rate of {self.number:g}.\n"
                f"The smallest rate that they can promise is 1/{clips + 1} = {1 / (clips + 1):.4g}; "
                f"{self.number:g} takes {self.fewest} clips."
            )

    def fit(self, training_scores: Scores, domains: Sequence[str | None] | None = None) -> Threshold:
        """The threshold that the rule gives.

        Args:
            training_scores: one a clip, (n,), by scorers that have not seen it.
            domains: of the clips, where they are known; used where the rule holds per domain.

        Raises:
            UsageError: the scores are too few for the rate.
        """
        names = [name or "" for name in domains] if domains is not None else [""] * len(training_scores)
        if not self.per_domain or len(set(names)) < 2:
            threshold = self._fitted(training_scores)
            return replace(threshold, note=threshold.note or self._caution(names))
        of_each = {name: self._fitted(training_scores[np.array(names) == name]) for name in sorted(set(names))}
        largest = max(of_each, key=lambda name: of_each[name].value)
        return replace(of_each[largest], method=f"{of_each[largest].method}, of the {largest} domain, the largest")

    def _caution(self, names: Sequence[str]) -> str:
        """What a promise over several domains does not hold for."""
        if self.kind != "false-alarms" or len(set(names)) < 2:
            return ""
        mix = " and ".join(f"{names.count(name)} {name}" for name in sorted(set(names)))
        return (
            f"the rate of {self.number:g} is that of normal clips in the training clips' mix of domains ({mix}); "
            "within one of them it may be exceeded, unless it is asked for per domain"
        )

    def _fitted(self, scores: Scores) -> Threshold:
        if self.kind == "fixed":
            return Threshold(self.number, "as given")
        if self.kind == "gamma":
            return fit_threshold(scores, self.number)
        self.require(len(scores))
        above = math.floor((len(scores) + 1) * self.number + ROUNDING) - 1  # training scores over the threshold
        value = float(np.sort(scores)[len(scores) - 1 - above])
        return Threshold(value, f"at most {self.number:g} false alarms, by {len(scores)} training scores")

    def cautions(self, *, trained: bool, ensemble: bool) -> list[str]:
        """What the user should know of a promise that rests on more than a scorer.

        Args:
            trained: the extractor was trained on the clips whose scores the threshold comes from.
            ensemble: the scores are those of an ensemble.
        """
        if self.kind != "false-alarms":
            return []
        notes = []
        if trained:
            notes.append(
                "the extractor was trained on the clips that the thresholds come from; new clips may score higher, and "
                f"more than {self.number:g} of them be false alarms"
            )
        if ensemble:
            notes.append("the thresholds rest on members that had seen four fifths of the clips, so rates are rough")
        return notes


DEFAULT_RULE = ThresholdRule()


def p_values(training_scores: Scores, scores: Scores) -> Scores:
    """How unusual scores are among those of training clips: ``(1 + number of training scores >= score) / (n + 1)``.

    Among clips that are exchangeable with the n training clips, a p-value of at most p occurs with a probability of
    at most p (conformal prediction).

    Args:
        training_scores: (n,), by scorers that have not seen the clips.
        scores: (m,).

    Returns:
        Float64 (m,), from 1 / (n + 1) to 1.
    """
    at_least = len(training_scores) - np.searchsorted(np.sort(training_scores), scores, side="left")
    return np.asarray((1 + at_least) / (len(training_scores) + 1), np.float64)


def fit_threshold(training_scores: Scores, quantile: float = QUANTILE) -> Threshold:
    """The ``quantile`` of a gamma distribution fitted to the training clips' scores (one score a clip).

    The official baselines' rule. Where no gamma distribution fits, the quantile of the scores themselves is taken, and
    ``method`` says so: constant scores, a fit that is not finite, or one with far too many or too few of the scores
    above its quantile (of a fit to few far outliers all may lie above). The number above is binomial were the
    distribution true; it is refused when either tail of that is less likely than ``LEVEL / 2``.
    """
    from scipy.stats import binom, gamma

    count, note = len(training_scores), ""
    low, high, spread = (float(of(training_scores)) for of in (np.min, np.max, np.ptp))
    if spread > 1e-9 * max(1.0, abs(low), abs(high)):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                shape, location, scale = gamma.fit(training_scores)
                value = float(gamma.ppf(quantile, shape, loc=location, scale=scale))
            except (ValueError, RuntimeError):  # scipy's FitError is a RuntimeError
                value = float("nan")
        if np.isfinite(value) and low - spread <= value <= high + spread:
            above = int(np.sum(training_scores > value))
            tails = binom.sf(above - 1, count, 1 - quantile), binom.cdf(above, count, 1 - quantile)
            if min(tails) > LEVEL / 2:
                return Threshold(value, f"gamma, {quantile:g} quantile")
            note = (
                f"{above} of {count} training scores lie above the {quantile:g} quantile of the gamma distribution "
                "that was fitted to them, so their own quantile is the threshold"
            )
    return Threshold(float(np.quantile(training_scores, quantile)), f"empirical, {quantile:g} quantile", note)
