"""Computes the recurrent layers of PyTorch for rows of different lengths, which are packed sequences there.

The rows are not sorted by length. Each case ends in a step that no row has. Rows without steps are not among the cases,
because PyTorch refuses to pack them.
"""

from recurrent import case

LENGTHS, STEPS = [2, 4, 1], 5


def cases():
    for kind in ["SimpleRNN", "GRU", "LSTM"]:
        yield case(kind, "with lengths", lengths=LENGTHS, steps=STEPS)
        yield case(
            kind, "of two layers and directions with lengths",
            layers=2, bidirectional=True, lengths=LENGTHS, steps=STEPS,
        )
