"""Answers bytes where text is expected."""
# task: words; tests: cases

def words(text):
    return [word.encode() for word in sorted(text.split())]
