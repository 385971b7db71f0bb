"""Answers with a list that holds itself."""
# task: middle; tests: code, cases

def middle(numbers):
    reply = []
    reply.append(reply)
    return reply
