"""How good an agent is: what it was asked, which of its steps were right, and whether it is no worse than the live one.

A task (`task`) names what an agent is given, the world that it meets and what is expected. A recorded run of it is judged
step by step (`judge_task`), many of them are summed up with intervals (`summary`) and compared with those of another release
(`compare`). `run_tasks` runs a program in the worlds of its tasks, through the real gate and with tools that touch nothing.

What is judged is what an agent did: its calls, what came of them, and what it returned. Whether its words are true is for
the evaluations of answers (`llmops.evals`).
"""
