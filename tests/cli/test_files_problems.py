"""A problem as a person reads it."""

from __future__ import annotations

from fairlead_cli.files.problems import Problem, ProblemReason, ProblemSeverity


def test_a_problem_reads_like_a_compilers_message() -> None:
    problem = Problem("a.yaml", 3, 7, ProblemSeverity.ERROR, ProblemReason.SYNTAX, "a tab cannot indent in YAML")
    assert str(problem) == "a.yaml:3:7: error: a tab cannot indent in YAML [Syntax]"
