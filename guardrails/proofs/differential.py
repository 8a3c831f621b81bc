"""Two checkers, one answer: the Python kernel and the program extracted from the proved one.

    python -m guardrails.proofs.differential build/proofs/checker --cases 6000

Half of the claims are tampered with, each in one way that both must refuse. On the others both must
prove the same bound; a form's value and a set's membership, which give the bound its meaning, must
be the same in scenarios of integers; and sampled rational scenarios must stay below the bound.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random

from agent_fund.guard.kernel.certificate import Certificate, Leaf
from agent_fund.guard.kernel.check import proved_bound
from agent_fund.guard.kernel.form import Form, Hinge, KernelError, Row, StressSet
from guardrails.proofs.random_cases import Case, honest
from guardrails.proofs.tamperings import tampered

SCENARIOS = 4


@dataclass(frozen=True, slots=True)
class Question:
    """One line for the extracted checker, and what Python answers to it."""

    line: str
    answer: str
    about: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a campaign saw.

    Attributes:
        counts: questions by what they are about.
        differences: a sentence for each thing that is not as it must be; none is a pass.
    """

    counts: Counter[str]
    differences: tuple[str, ...]


def campaign(checker: Path, cases: int, seed: int) -> Outcome:
    """Put ``cases`` claims, half of them tampered with, to both checkers.

    Raises:
        subprocess.CalledProcessError: if the extracted checker cannot read a question.
    """
    rng = Random(seed)
    counts: Counter[str] = Counter()
    differences: list[str] = []
    questions: list[Question] = []
    for number in range(cases):
        case = tampered(rng) if number % 2 else honest(rng)
        try:
            form, stress = _objects(case)
            bound: int | None = proved_bound(form, stress, case.tree)
        except KernelError:
            bound = None
        answer = "refused" if bound is None else f"bound {bound}"
        about = case.tampering or "honest"
        questions.append(Question(" ".join(_claim(case)), answer, about))
        if (bound is None) != bool(case.tampering):
            differences.append(f"the kernel answers {answer} to a claim that is {about}: {case}")
        if bound is None:
            continue
        questions += _readings(rng, case, form, stress)
        for scenario in _scenarios(rng, stress):
            counts["sampled scenario"] += 1
            if _value(form, scenario) > bound:
                differences.append(f"{scenario} exceeds the bound {bound}: {case}")
    counts.update(question.about for question in questions)
    answers = ask(checker, [question.line for question in questions])
    for question, said in zip(questions, answers, strict=True):
        if said != question.answer:
            differences.append(
                f"{question.about}: Python says {question.answer}, Coq {said}: {question.line}"
            )
    return Outcome(counts, tuple(differences))


def ask(checker: Path, lines: Sequence[str]) -> list[str]:
    """The extracted checker's answers, one a line."""
    done = subprocess.run(  # noqa: S603  # the program that was just built
        [checker], input="\n".join(lines) + "\n", capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def _objects(case: Case) -> tuple[Form, StressSet]:
    hinges = tuple(Hinge(*hinge) for hinge in case.hinges)
    rows = tuple(Row(terms, bound) for terms, bound in case.rows)
    return Form(case.constant, case.linear, hinges), StressSet(case.box, rows)


def _readings(rng: Random, case: Case, form: Form, stress: StressSet) -> Iterator[Question]:
    """A form's value and a set's membership in scenarios of integers, most of them in the box."""
    for _ in range(2):
        moves = [rng.choice((low, 0, rng.randint(low, high), high)) for low, high in case.box]
        if rng.random() < 0.3:
            moves[rng.randrange(len(moves))] += rng.choice((-1, 1))
        words = " ".join(map(str, _list(moves)))
        shape = " ".join(map(str, _form(case)))
        yield Question(f"value {shape} {words}", f"value {form.at(moves)}", "value")
        where = "holds" if stress.holds(moves) else "outside"
        shape = " ".join(map(str, _stress(case)))
        yield Question(f"holds {shape} {words}", where, "membership")


def _claim(case: Case) -> Iterator[str]:
    yield "bound"
    yield from map(str, _form(case))
    yield from map(str, _stress(case))
    yield from map(str, _tree(case.tree))


def _form(case: Case) -> Iterator[int]:
    yield case.constant
    yield from _list(case.linear)
    yield len(case.hinges)
    for hinge in case.hinges:
        yield from hinge


def _stress(case: Case) -> Iterator[int]:
    yield from _pairs(case.box)
    yield len(case.rows)
    for terms, bound in case.rows:
        yield bound
        yield from _pairs(terms)


def _tree(tree: Certificate) -> Iterator[int | str]:
    if isinstance(tree, Leaf):
        yield "leaf"
        yield from _list(tree.tangents)
        yield from _pairs(tree.multipliers)
        return
    yield from ("split", tree.driver, tree.at)
    yield from _tree(tree.left)
    yield from _tree(tree.right)


def _list(numbers: Sequence[int]) -> Iterator[int]:
    yield len(numbers)
    yield from numbers


def _pairs(pairs: Sequence[tuple[int, int]]) -> Iterator[int]:
    yield len(pairs)
    for pair in pairs:
        yield from pair


def _scenarios(rng: Random, stress: StressSet) -> Iterator[list[Fraction]]:
    """Points of the box, drawn towards the no-move scenario until every row holds."""
    for _ in range(SCENARIOS):
        point = [
            low + (high - low) * Fraction(rng.choice((0, 0, 8, 8, 1, 3, 5, 7)), 8)
            for low, high in stress.box
        ]
        share = Fraction(1)
        for row in stress.rows:
            use = sum((c * point[driver] for driver, c in row.terms), Fraction(0))
            if use > row.bound:
                share = min(share, row.bound / use)
        yield [move * share for move in point]


def _value(form: Form, scenario: Sequence[Fraction]) -> Fraction:
    total = form.constant + sum(
        (c * move for c, move in zip(form.linear, scenario, strict=True)), Fraction(0)
    )
    for hinge in form.hinges:
        inner = hinge.slope * scenario[hinge.driver] + hinge.offset
        total += hinge.weight * max(inner, Fraction(0))
    return total


def main(arguments: Sequence[str]) -> int:
    """Run a campaign, say what it saw; 1 if the checkers differ."""
    parser = argparse.ArgumentParser(description=__doc__, prog="differential")
    parser.add_argument("checker", type=Path, help="the program built from Extract.v")
    parser.add_argument("--cases", type=int, default=6000, help="claims, half of them tampered")
    parser.add_argument("--seed", type=int, default=1, help="of the random cases")
    options = parser.parse_args(arguments)
    outcome = campaign(options.checker, options.cases, options.seed)
    for about, count in sorted(outcome.counts.items()):
        sys.stdout.write(f"{count:8,} {about}\n")
    for difference in outcome.differences[:5]:
        sys.stdout.write(f"{difference[:2000]}\n")
    sys.stdout.write(f"{options.cases:,} claims, {len(outcome.differences):,} differences\n")
    return 1 if outcome.differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
