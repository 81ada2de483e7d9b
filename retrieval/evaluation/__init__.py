"""How good a search is: rankings measured against judgements, with intervals, comparisons and tuning."""
