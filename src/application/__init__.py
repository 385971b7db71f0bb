"""What happens: one use case a file, the story read aloud. Knows the domain only."""
