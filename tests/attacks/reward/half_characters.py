"""Answers with halves of characters, which no encoding has, and zeros."""
# task: words; tests: code, cases

def words(text):
    return ["\ud800", "\0", "\udcff\n"]
