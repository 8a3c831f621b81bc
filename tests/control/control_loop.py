"""A small fund in a process of its own, which hears its operators through the real board.

    python control_loop.py FOLDER

The agent buys one coin a turn while it may, up to nine; a flatten sells one a turn. Every trade is
a line of ``trades.txt``, from which a restart knows what it holds. Files in the folder steer it:
``unsafe`` makes it refuse to resume, ``deaf`` makes it never answer, ``hang`` stops its turns,
``finish`` ends it for good, ``quit`` lets it go so that it can be started again.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from agent_fund.fund.control import ControlBoard
from agent_fund.fund.control_command import Act, Outcome, Stance
from agent_fund.fund.control_status import OpenOrder, Position, Status, VenueHealth

RESTART = "python control_loop.py {folder}"
MOST = 9


class Loop:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trades = folder / "trades.txt"
        first = not self.trades.exists()
        if first:
            self.trades.write_text("")
        self.board = ControlBoard(folder, restart=RESTART.format(folder=folder), first=first)
        lines = self.trades.read_text().split()
        self.held = lines.count("buy") - lines.count("sell")
        self.bar = 0

    def turn(self) -> None:
        standing = self.board.standing()
        for command in standing.pending:
            if (self.folder / "deaf").exists():
                continue
            match command.act:
                case Act.HALT:
                    self.board.answer(command.id, f"no new trades; {self.held} COIN are held")
                case Act.FLATTEN if self.held:
                    left = f"{self.held} COIN are left to sell"
                    self.board.answer(command.id, left, Outcome.WORKING)
                case Act.FLATTEN:
                    self.board.answer(command.id, "flat, and halted")
                case Act.SETTLE | Act.ADJUST if standing.stance is Stance.RUN:
                    text = "halt or flatten the fund first"
                    self.board.answer(command.id, text, Outcome.REFUSED)
                case Act.SETTLE | Act.ADJUST:
                    self.board.answer(command.id, f"{' '.join(command.about)}, by {command.by}")
                case Act.RESUME if (self.folder / "unsafe").exists():
                    text = "the book is not Safe: a loss of 12 % is possible, 10 % is allowed"
                    self.board.answer(command.id, text, Outcome.REFUSED)
                case Act.RESUME:
                    self.board.answer(command.id, f"active again, by {command.by}")
        if standing.stance is Stance.FLATTEN and self.held:
            self.trade("sell", -1)
        elif standing.stance is Stance.RUN and self.held < MOST:
            self.trade("buy", 1)
        self.board.beat(self.status(standing.stance, standing.fault))
        self.bar += 1

    def trade(self, side: str, change: int) -> None:
        with self.trades.open("a") as stream:
            stream.write(f"{side}\n")
        self.held += change

    def status(self, stance: Stance, fault: str) -> Status:
        now = time.time_ns() // 1_000_000
        mode = {Stance.RUN: "active", Stance.HALT: "halted", Stance.FLATTEN: "exiting"}[stance]
        order = OpenOrder("a1b2c3", "sim", "buy", "COIN", "1.00", "0.25", "100.00", "agent", "new")
        return Status(
            bar=self.bar,
            time=now,
            next_beat=now + 1000,
            mode=mode,
            currency="USD",
            nav="998750.25",
            mark="1000000.00",
            drawdown="0.00124975",
            limit="0.10",
            positions=(Position("COIN", str(self.held), "100.00", f"{self.held * 100}.00"),),
            orders=(order,) if stance is Stance.RUN else (),
            venues=(VenueHealth("sim", "ok"), VenueHealth("dex", "frozen", "2 legs are stuck")),
            alarms=(f"control: {fault}",) if fault else (),
        )


def main(folder: Path) -> None:
    loop = Loop(folder)
    while True:
        if (folder / "finish").exists():
            loop.board.close("all bars are done")
            return
        if (folder / "quit").exists():
            loop.board.close()
            return
        if not (folder / "hang").exists():
            loop.turn()
        time.sleep(0.005)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
