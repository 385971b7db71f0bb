"""What the words mean: pure values and functions, the standard library only."""
