"""Evaluations: golden sets, scores of answers, runs that ask nothing twice, comparisons that say how sure they are."""
