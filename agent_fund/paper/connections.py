"""The file of connections: how each venue of a run file is reached, and which key signs there.

It is apart from the run file, because the same run file is backtested, run on a devnet and run on
the real venues. It holds addresses, dated data and references to keys; a key itself is refused.
"""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, ValidationError

from agent_fund.domain.errors import DomainError
from agent_fund.domain.money import decimal
from agent_fund.execution.keys.detect import require_no_key_values
from agent_fund.paper.errors import PaperError


def _number(value: object) -> Decimal:
    if not isinstance(value, str):
        raise ValueError('write an exact number in quotes, like "0.001"')
    try:
        return decimal(value, "number")
    except DomainError as error:
        raise ValueError(str(error)) from None


Number = Annotated[Decimal, BeforeValidator(_number)]


class Spec(BaseModel):
    """A table of the file: unknown keys are errors, values are not converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TokenSpec(Spec):
    """The contract or token id that stands for an asset, and its decimals."""

    address: str
    decimals: int = Field(ge=0, le=36)


class ChainSpec(Spec):
    """An EVM chain: its node, its EIP-155 id, and the depth at which a block is final."""

    url: str
    chain_id: StrictInt = Field(ge=1)
    finality: StrictInt = Field(ge=0)


class SafeSpec(Spec):
    """A Safe that holds the assets, with its verdict module; ``guard_key`` signs the verdicts."""

    address: str
    module: str
    guard_key: str


class UniswapSpec(Spec):
    """Uniswap pools on one chain; ``key`` pays the gas, and holds the assets without a Safe."""

    kind: Literal["uniswap_v2", "uniswap_v3"]
    chain: str
    router: str
    quoter: str = ""
    fee: StrictInt = 3000
    key: str
    tokens: dict[str, TokenSpec]
    coin: str = ""
    safe: SafeSpec | None = None


class ExchangeSpec(Spec):
    """An account at an exchange.

    Attributes:
        credentials: reference to an API key; at Hyperliquid to the key that signs.
        fee: the highest commission that it is charged.
        prepaid: the coin that pays commissions, none of what is traded there. ``reserve``: with
            less of it no order is sent; more than the commission of the largest order.
        weight: of requests, a minute, that it may use, as the exchange counts it; 0: what the
            exchange allows.
        user, testnet: of Hyperliquid: the account, if the key is an API wallet of it.
    """

    kind: Literal["binance", "binance_futures", "hyperliquid"]
    url: str | None = None
    credentials: str
    markets: dict[str, str]
    fee: Number
    prepaid: str = ""
    reserve: Number = Decimal(0)
    weight: StrictInt = Field(default=0, ge=0, le=60_000)
    user: str = ""
    testnet: bool = False


class NearSpec(Spec):
    """Balances inside the NEAR intents verifier; tokens by asset as of the day ``as_of``."""

    kind: Literal["near_intents"]
    url: str
    relay: str
    account: str
    key: str
    contract: str = "intents.near"
    as_of: str
    tokens: dict[str, TokenSpec]
    probe: dict[str, Number]
    valid_ms: StrictInt = 60_000


class CowSpec(Spec):
    """Orders signed for CoW; the verdict's hash goes into their ``appData``.

    Attributes:
        probe: by instrument, the quantity for which prices are asked. ``depth``: what is taken for
            a bar's volume, since solvers show no book.
    """

    kind: Literal["cow"]
    chain: str
    url: str
    settlement: str
    key: str
    tokens: dict[str, TokenSpec]
    probe: dict[str, Number]
    depth: dict[str, Number]


VenueSpec = Annotated[UniswapSpec | ExchangeSpec | NearSpec | CowSpec, Field(discriminator="kind")]


class AcrossPlace(Spec):
    """Where Across takes and brings the currency: the venue's place, pool and depositor there."""

    pool: str
    depositor: str


class AcrossSpec(Spec):
    """Across between venues on chains of their own; fees as offered to relayers."""

    kind: Literal["across"]
    places: dict[str, AcrossPlace]
    relative_fee: Number
    fixed_fee: Number
    seconds: StrictInt
    refund_seconds: StrictInt


class WalletSpec(Spec):
    """Transfers between the wallets of one Binance account, which two venues of the file are."""

    kind: Literal["binance_wallet"]
    spot: str
    futures: str


CarrierSpec = Annotated[AcrossSpec | WalletSpec, Field(discriminator="kind")]


class Connections(Spec):
    """The whole file.

    Attributes:
        chains: by the names that venues use. ``venues``: by the run file's names.
        carriers: what moves currency between venues, by name.
    """

    chains: dict[str, ChainSpec] = {}
    venues: dict[str, VenueSpec]
    carriers: dict[str, CarrierSpec] = {}


def load_connections(path: Path, runfile: Path = Path("RUNFILE")) -> Connections:
    """The file at ``path``, TOML or JSON by its name; ``runfile`` is what it is for.

    Raises:
        PaperError: with the place, what was seen and the fix.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        fix = f"for the devnet, run: agent-fund devnet up {runfile}"
        raise PaperError(f"connections {path}", error.strerror, fix) from None
    try:
        content = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        require_no_key_values(content, str(path))
        return Connections.model_validate(content)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise PaperError(f"connections {path}", str(error), "write TOML, or JSON") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise PaperError(
            f"connections {path}, {place}", first["msg"], "correct or remove it"
        ) from None
