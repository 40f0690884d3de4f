"""The benchmark of verdicts: scores, baselines, risk and coverage, its page, a model's card."""
