"""The look-ahead check: with another future, every decision up to then has to be the same.

The run is made once as it is, in memory. Then, for each of several bars, it is made again up to
and with that bar's close, with all that comes after it perturbed, and everything the log would hold
(proposals with their reasons, requests to the model and its answers, the guard's verdicts, acts and
bounds, orders, fills, transfers, funding, liquidations) and the book at every bar have to be the
same, byte for byte. So that they can be, the perturbed runs are given the genesis record of the
true one, with its digests of mandate and data: none of these logs leaves this process.

Each bar is tried twice, because a strategy can get at the future in two ways:

- ``memory``: in the workspace itself, with the bars that the fund is fed perturbed. The modules
  are those of the true run, so a strategy that keeps in a global what an earlier run showed it
  knows more than it did the first time, and decides otherwise.
- ``files``: in a copy of the workspace whose data sets are perturbed too, with the modules loaded
  anew and the current folder in the copy; see ``perturbed_workspace``. A strategy that reads the
  catalog, from its own file's path or the current folder, reads the perturbed one; and one that
  reads anything that the run file does not name does not find it, which is a finding as well.

The mandate is tried once, in a copy in which the whole test window is another: it has to resolve
to the same stress set and limits, and leave the same terms.

What it cannot catch: a strategy that reads an absolute path or the network; signals that were made
from the future and stand in the strategy's own folder; a model that was trained on the past and
knows it; one that looks ahead only at bars that were not tried, or whose decision happens to be
the same with the other future. More points leave less to chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from agent_fund.audit.canonical import JSON
from agent_fund.audit.log import MemoryLog
from agent_fund.backtest.assemble import assemble
from agent_fund.backtest.difference import Difference, Turn, first_difference, proposes
from agent_fund.backtest.errors import RunFileError
from agent_fund.backtest.genesis import genesis
from agent_fund.backtest.parts import Parts
from agent_fund.backtest.perturbed_workspace import copy_perturbed
from agent_fund.backtest.runfile.load import workspace_of
from agent_fund.backtest.session import open_session, require_admits_something
from agent_fund.guard.engine import Guard
from agent_fund.guard.kernel.codec import dumps
from agent_fund.market.bars import BarTable

Progress = Callable[[str, int, int], None]

POINTS = 4
_SEEDS = 8
MEMORY, FILES = "memory", "files"
# Keys of a record are sorted, and a record of marks has no key before its kind.
_MARKS = b'{"kind":"mark",'


@dataclass(frozen=True)
class Cut:
    """One bar after which the future was perturbed; ``time``: its close, ms since the epoch.

    Attributes:
        proposals: how many bars up to it have a proposal, all of which had to be made again.
    """

    bar: int
    time: int
    proposals: int
    difference: Difference | None


@dataclass(frozen=True)
class Checked:
    """What the check found.

    Attributes:
        bars: in the test window; ``proposals``: those with a proposal.
        genesis: the record from which the others can be read.
        mandate_differs: whether the mandate is another with another test window.
    """

    name: str
    bars: int
    proposals: int
    genesis: Mapping[str, JSON]
    mandate_differs: bool
    cuts: tuple[Cut, ...]

    @property
    def looks_ahead(self) -> bool:
        """Whether any decision, or the mandate, changed with the future."""
        return self.mandate_differs or any(cut.difference is not None for cut in self.cuts)


def check_lookahead(
    path: Path,
    *,
    points: int = POINTS,
    progress: Progress = lambda stage, done, total: None,
) -> Checked:
    """Check the strategy and the mandate of the run file at ``path``.

    A process that has run this strategy before may have left it with what it saw then: check in a
    new one.

    Args:
        points: bars after which the future is perturbed, spread over the test window, at bars
            with a proposal as far as there are such.
        progress: told (stage, bars done, bars in all).

    Raises:
        RunFileError, MarketError, ConfigurationError, CassetteError: bad input; all that the true
            run raises, the strategy's own exceptions included.
    """
    parts = assemble(path)
    require_admits_something(parts, Guard(parts.mandate))
    bars, times = len(parts.test), parts.test.close_times
    if bars < 2:
        raise RunFileError(f"{path}: market: the test window has no bar with a bar after it")
    differs = _mandate_differs(parts)
    record, blobs = genesis(parts, guarded=True)
    true = []
    for turn in _turns(parts, record, blobs):
        true.append(turn)
        progress("as it is", len(true), bars)
    proposing = [bar for bar, turn in enumerate(true) if proposes(turn)]
    cuts = []
    for number, bar in enumerate(cut_points(bars, proposing, points), start=1):

        def step(done: int, name: str = f"point {number}", total: int = 2 * (bar + 1)) -> None:
            progress(name, done, total)

        difference = _perturbed(parts, record, blobs, true[: bar + 1], step)
        if difference is not None:
            step(2 * (bar + 1))
        before = sum(proposal <= bar for proposal in proposing)
        cuts.append(Cut(bar, times[bar], before, difference))
    return Checked(parts.runfile.name, bars, len(proposing), record, differs, tuple(cuts))


def cut_points(bars: int, proposing: Sequence[int], points: int) -> list[int]:
    """Bars to cut after, in order; at most ``points``, each with a bar after it.

    One for each of ``points`` equal parts of the window: the bar with a proposal that is nearest
    to its middle, the first and the last proposal left to the others if there are more; where all
    of them are taken, the middle itself.
    """
    inner = proposing[1:-1] if len(proposing) > 2 else proposing
    free = [bar for bar in inner if bar < bars - 1]
    found: set[int] = set()
    for number in range(points):
        middle = min((2 * number + 1) * bars // (2 * points), bars - 2)
        bar = min(free, key=lambda bar: abs(bar - middle), default=middle)
        free = [other for other in free if other != bar]
        found.add(bar)
    return sorted(found)


def _mandate_differs(parts: Parts) -> bool:
    """Whether the mandate resolves to another where all of the test window is another."""
    with _copied(parts, -1) as path:
        other = assemble(path)
    texts = (dumps(p.mandate.to_json()) for p in (parts, other))
    return len(set(texts)) > 1 or parts.terms != other.terms


def _perturbed(
    parts: Parts,
    record: Mapping[str, JSON],
    blobs: Mapping[str, bytes],
    true: Sequence[Turn],
    step: Callable[[int], None],
) -> Difference | None:
    """The first difference once all after the last of ``true`` is another, in memory or files."""
    after = len(true) - 1
    other = replace(parts, test=_turned(parts.test, after))
    found = first_difference(true, _turns(other, record, blobs), MEMORY, step)
    if found is not None:
        return found
    with _copied(parts, after) as path:
        folder = workspace_of(path)
        turns = _turns(replace(other, path=path, workspace=folder), record, blobs)
        found = first_difference(true, turns, FILES, lambda done: step(after + 1 + done))
    if found is not None and found.seen is not None and "error" in found.seen:
        text = str(found.seen["error"]).replace(f"{folder}/", "")
        found = replace(found, seen={"error": text})
    return found


def _turned(table: BarTable, after: int) -> BarTable:
    """``table`` perturbed after a bar so that as many as possible then close the other way.

    Who looks one bar ahead often looks only at that; few seeds are enough to turn most.
    """

    def turned(other: BarTable) -> int:
        return sum(
            (closes[after + 1] > closes[after]) is not (now[after + 1] > now[after])
            for closes, now in zip(table.closes.values(), other.closes.values(), strict=True)
        )

    return max((table.perturbed(after, seed) for seed in range(_SEEDS)), key=turned)


@contextmanager
def _copied(parts: Parts, after: int) -> Iterator[Path]:
    """The run file of a perturbed copy, which is the current folder as long as it stands."""
    with TemporaryDirectory(prefix="agent-fund-") as made:
        folder = Path(made).resolve()
        path = copy_perturbed(parts, after, folder)
        with chdir(folder):
            yield path


def _turns(parts: Parts, record: Mapping[str, JSON], blobs: Mapping[str, bytes]) -> Iterator[Turn]:
    """A run in memory, bar by bar."""
    log = MemoryLog()
    session = open_session(parts, log, record, blobs, guarded=True)
    size = log.size
    while (tick := session.fund.advance()) is not None:
        leaves = [log.leaf(index) for index in range(size, log.size)]
        size = log.size
        yield Turn(tick, tuple(leaf for leaf in leaves if not leaf.startswith(_MARKS)))
