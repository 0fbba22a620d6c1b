"""Pure rules: criteria, rulebook, evaluation."""
