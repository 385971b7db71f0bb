"""What runs inside the sandbox. It needs the standard library alone: no package is there."""
