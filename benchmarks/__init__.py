"""What the project claims of its own speed, measured against peers on this machine: `python -m benchmarks NAME`.

One row a claim. Ours and the peer do the same job on the same data in the same run, turn by turn, and their answers are
compared before anything is timed: where they differ the claim fails. Medians; nothing is asserted by a timed test.
"""
