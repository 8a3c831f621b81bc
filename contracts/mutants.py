"""Every check of the contracts and of the signing side, taken out one at a time.

Each mutant is one edit of one file; ``contracts/campaign.py`` makes it on a copy, compiles, and
asks that a test turns red.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """``old``, which stands in ``file`` exactly once, replaced by ``new``."""

    name: str
    file: str
    old: str
    new: str


_MODULE, _LEAF = "contracts/VerdictModule.sol", "contracts/LeafVerifier.sol"
_CUSTODY = "agent_fund/execution/custody"

_MODULE_EDITS: list[tuple[str, str, str]] = [
    ("sender of execute", "if (msg.sender != executor) revert NotExecutor(msg.sender);", ""),
    ("pause of execute", "if (paused) revert IsPaused();", ""),
    ("deadline", "if (block.timestamp > verdict.deadline) revert Expired(verdict.deadline);", ""),
    ("last second", "block.timestamp > verdict.deadline", "block.timestamp >= verdict.deadline"),
    (
        "mandate",
        "if (verdict.mandateHash != mandateHash) revert StaleMandate(verdict.mandateHash);",
        "",
    ),
    (
        "calldata",
        "if (keccak256(data) != verdict.callHash) revert CallMismatch(keccak256(data));",
        "",
    ),
    (
        "signer",
        "if (_signer(digest(verdict), signature) != guard) revert BadSignature();",
        "_signer(digest(verdict), signature);",
    ),
    (
        "executor as signer",
        "signature) != guard)",
        "signature) != guard && msg.sender != executor)",
    ),
    ("low s", "uint256(s) > HALF_ORDER || ", ""),
    (
        "v",
        " || (v != 27 && v != 28)) revert BadSignature();\n"
        "        signer = ecrecover(hash, v, r, s)",
        ") revert BadSignature();\n        signer = ecrecover(hash, v < 27 ? v + 27 : v, r, s)",
    ),
    ("length of a signature", "signature.length != 65", "signature.length < 65"),
    ("chain in the domain", "block.chainid, address(this)", "uint256(31337), address(this)"),
    ("module in the domain", "block.chainid, address(this)", "block.chainid, address(safe)"),
    ("nonce", "if (bits & bit != 0) revert NonceUsed(nonce);", ""),
    ("nonce is kept", "nonceBitmap[nonce >> 8] = bits | bit;", ""),
    ("other nonces are kept", "= bits | bit;", "= bit;"),
    (
        "word of a nonce",
        "uint256 bits = nonceBitmap[nonce >> 8];",
        "uint256 bits = nonceBitmap[0];",
    ),
    ("bit of a nonce", "1 << (nonce & 255)", "1 << (nonce & 127)"),
    ("reentrancy", "if (_entered) revert Reentered();", ""),
    ("lock is taken", "_entered = true;", ""),
    ("lock is given back", "_entered = false;", ""),
    ("Safe as target", "target == address(safe) || ", ""),
    ("target without code", " || target.code.length == 0", ""),
    ("module as target", "safe.isModuleEnabled(target) || ", ""),
    ("token as target", " || _isToken(target)", ""),
    ("spender of no token", "if (verdict.spender != address(0)) revert BadTerms();", ""),
    (
        "amount of no token",
        "if (verdict.maxIn != (verdict.tokenIn == ETH ? verdict.value : 0)) revert BadTerms();",
        "",
    ),
    ("amount of ETH", "(verdict.tokenIn == ETH ? verdict.value : 0)", "0"),
    (
        "token without a spender",
        "} else if (verdict.spender == address(0)) {",
        "} else if (false) {",
    ),
    (
        "nothing out, but an amount",
        "if (verdict.tokenOut == address(0) && verdict.minOut != 0) revert BadTerms();",
        "",
    ),
    (
        "one asset both ways",
        "verdict.tokenIn == verdict.tokenOut && verdict.tokenIn != address(0)",
        "false",
    ),
    ("failed call", "if (!success) revert CallFailed(returned);", ""),
    ("delegatecall", "verdict.value, data, 0);", "verdict.value, data, 1);"),
    ("value", "(verdict.target, verdict.value, data", "(verdict.target, 0, data"),
    (
        "allowance is exact",
        "verdict.spender, verdict.maxIn);",
        "verdict.spender, type(uint256).max);",
    ),
    ("allowance is taken back", "if (approves) _approve(verdict.tokenIn, verdict.spender, 0);", ""),
    ("zero first", "if (standing != 0 && amount != 0) _callApprove(token, spender, 0);", ""),
    (
        "allowance is looked at",
        "if (IERC20(token).allowance(address(safe), spender) != amount) "
        "revert ApprovalFailed(token);",
        "",
    ),
    (
        "answer of approve",
        " || (returned.length != 0 && abi.decode(returned, (uint256)) != 1)",
        "",
    ),
    ("silence of approve", "returned.length != 0 && ", ""),
    ("ETH sent", "if (sent > verdict.value) revert Overspent(sent, verdict.value);", ""),
    ("spent", "if (spent > verdict.maxIn) revert Overspent(spent, verdict.maxIn);", ""),
    ("spent exactly", "spent > verdict.maxIn", "spent >= verdict.maxIn"),
    ("got", "if (got < verdict.minOut) revert Undelivered(got, verdict.minOut);", ""),
    ("got exactly", "got < verdict.minOut", "got <= verdict.minOut"),
    ("ETH out", "if (token == ETH) return address(safe).balance;", "if (token == ETH) return 1;"),
    (
        "only the Safe",
        "if (msg.sender != address(safe)) revert NotSafe(msg.sender);",
        "",
    ),
    ("who pauses", "if (msg.sender != address(safe) && msg.sender != pauser)", "if (false)"),
    ("pauser pauses", " && msg.sender != pauser", ""),
    ("Safe pauses", "msg.sender != address(safe) && msg.sender != pauser", "msg.sender != pauser"),
    (
        "unpause by the pauser",
        "function unpause() external onlySafe",
        "function unpause() external",
    ),
    (
        "executor by anybody",
        "rotateExecutor(address successor) external onlySafe",
        "rotateExecutor(address successor) external",
    ),
    (
        "pauser by anybody",
        "setPauser(address successor) external onlySafe",
        "setPauser(address successor) external",
    ),
    (
        "mandate by anybody",
        "setMandate(bytes32 successor) external onlySafe",
        "setMandate(bytes32 successor) external",
    ),
    (
        "guard by anybody",
        "bytes calldata acceptance) external onlySafe",
        "bytes calldata acceptance) external",
    ),
    (
        "acceptance",
        "if (_signer(successionDigest(guard, successor), acceptance) != successor) "
        "revert BadSignature();",
        "",
    ),
    (
        "acceptance of this guard's place",
        "(SUCCESSION_TYPEHASH, predecessor,",
        "(SUCCESSION_TYPEHASH, successor,",
    ),
    ("retired keys", "retired[successor] || ", ""),
    ("the same key again", " || successor == guard) revert", ") revert"),
    ("keys retire", "retired[guard] = true;", ""),
    ("guard changes", "guard = successor;", ""),
    ("keys of a new guard", "_requireKeys(successor, executor);", ""),
    ("keys of a new executor", "_requireKeys(guard, successor);", ""),
    ("nobody as guard", "if (guard_ == address(0)) revert BadKey(guard_);", ""),
    ("nobody as executor", "executor_ == address(0) || ", ""),
    ("two keys", " || executor_ == guard_", ""),
    ("Safe has code", "if (address(safe_).code.length == 0) revert BadKey(address(safe_));", ""),
]

_LEAF_EDITS: list[tuple[str, str, str]] = [
    (
        "version",
        "_number(leaf) != CERTIFICATE_VERSION || _number(leaf) != 0",
        "_number(leaf) + _number(leaf) > 9",
    ),
    ("left over of the set", "set.at != set.end || ", ""),
    ("left over of the form", "loss.at != loss.end || ", ""),
    ("left over of the leaf", " || leaf.at != leaf.end", ""),
    (
        "corner of the box",
        "coefficient > 0 ? sum.high[i] : sum.low[i]",
        "coefficient > 0 ? sum.low[i] : sum.high[i]",
    ),
    ("rounding of the bound", "-(-total >> SHIFT)", "(total >> SHIFT)"),
    ("fall below everything", "if (fall > SCALE) revert BadBox(i);", ""),
    (
        "number of drivers",
        "if (count != sum.low.length) revert DriversDiffer(count, sum.low.length);",
        "",
    ),
    ("driver of a hinge", "if (driver >= sum.low.length) revert BadDriver(driver);", ""),
    ("sign of a weight", "if (weight < 0) {", "if (weight <= 0) {"),
    ("too few tangents", "if (tangents == 0) revert BadTangent();", ""),
    ("too many tangents", "if (tangents != 0) revert BadTangent();", ""),
    ("share of a tangent", "if (written > uint256(ONE)) revert BadTangent();", ""),
    ("tangent of one", "if (written == 1) return ONE;", ""),
    ("order of rows", "i + 1 + _number(leaf)", "i + _number(leaf)"),
    ("rows that are not there", "if (weights != 0) revert BadMultiplier();", ""),
    ("driver of a row", "driver >= drivers || coefficient == 0", "coefficient == 0"),
    ("zero in a row", "driver >= drivers || coefficient == 0", "driver >= drivers"),
    ("sign of a row", "-= multiplier * coefficient", "+= multiplier * coefficient"),
    ("bound of a row", "sum.total += multiplier * bound", "sum.total += bound"),
    ("both ends above", "left >= 0 && right >= 0", "left >= 0 || right >= 0"),
    ("both ends below", "left <= 0 && right <= 0", "left <= 0 || right <= 0"),
    (
        "one end below",
        "left = left > 0 ? weight * left * ONE : int256(0);",
        "left = weight * left * ONE;",
    ),
    ("rise rounds down", "if (rise * width > right - left) rise--;", ""),
    ("higher of the offsets", "first > second ? first : second", "first"),
    ("canonical multiplier", "if (mantissa & 1 == 0) revert BadMultiplier();", ""),
    (
        "large multiplier",
        "exponent > 254 || mantissa > uint256(type(int256).max) >> exponent",
        "false",
    ),
    (
        "large number",
        "if (shift == 252 && digit > 15) revert TooLarge();",
        "if (shift > 300) revert TooLarge();",
    ),
    ("early end", "if (at > reader.end) revert EndsEarly();", ""),
    ("shortest spelling", "if (digit == 0) revert TooLong();", ""),
    ("count of what follows", "if (value > reader.end - reader.at) revert EndsEarly();", ""),
    ("large end of a box", "if (value > uint256(type(int256).max)) revert TooLarge();", ""),
    (
        "checked arithmetic",
        "weight *= _share(_number(leaf));",
        "unchecked { weight *= _share(_number(leaf)); }",
    ),
    ("check at the bound", "certificate) <= bound;", "certificate) < bound;"),
]

_PYTHON_EDITS: list[tuple[str, str, str, str]] = [
    ("cover: target", "cover.py", "if call.to not in self.venues:", "if False:"),
    (
        "cover: spender",
        "cover.py",
        "if action.token_in != NOTHING and action.spender != self.venues[call.to]:",
        "if False:",
    ),
    (
        "cover: tokens",
        "cover.py",
        "if (action.token_in, action.token_out) != (self.token_in, self.token_out):",
        "if False:",
    ),
    ("cover: most in", "cover.py", "if not 0 <= action.max_in <= self.most_in:", "if False:"),
    (
        "cover: negative in",
        "cover.py",
        "if not 0 <= action.max_in <= self.most_in:",
        "if action.max_in > self.most_in:",
    ),
    ("cover: least out", "cover.py", "if action.min_out < self.least_out:", "if False:"),
    ("cover: value", "cover.py", "if not 0 <= call.value <= self.most_value:", "if False:"),
    ("cover: deadline", "cover.py", "if deadline > self.deadline:", "if False:"),
    ("cover: calldata", "cover.py", "self.calldata.require(call.data)", "pass"),
    (
        "cover: who gets what a sale brings",
        "cover.py",
        "data = amm.exact_in(sold, bought, most, least, owner, deadline)",
        "data = amm.exact_in(sold, bought, most, least, amm.router, deadline)",
    ),
    (
        "cover: bound of a sale",
        "cover.py",
        "amm.exact_in(sold, bought, most, least,",
        "amm.exact_in(sold, bought, most, 0,",
    ),
    (
        "cover: way of a purchase",
        "cover.py",
        "amm.exact_out(sold, bought, least,",
        "amm.exact_out(sold, sold, least,",
    ),
    ("cover: over", "cover.py", "if not order.remaining:", "if False:"),
    ("cover: rounding of what is spent", "cover.py", "most = quote.down(", "most = quote.up("),
    ("cover: rounding of what comes", "cover.py", "least = quote.up(", "least = quote.down("),
    (
        "deposit: what arrives",
        "across_deposit.py",
        "if output_amount < self.least_out:",
        "if False:",
    ),
    (
        "deposit: until when",
        "across_deposit.py",
        "if fill_deadline > self.deadline:",
        "if False:",
    ),
    (
        "deposit: all the rest",
        "across_deposit.py",
        "if call_data(OPEN, order.onchain) != data:",
        "if False:",
    ),
    ("deposit: rounding", "across_deposit.py", "target.token.up(", "target.token.down("),
    ("deposit: very bytes", "calldata.py", "if found != self.hash:", "if False:"),
    ("signer: unknown leg", "verdict_signer.py", "cover.require(action, deadline)", "pass"),
    ("verdict: nonce", "verdict.py", "_NONCE_DOMAIN + leg_id.encode()", "_NONCE_DOMAIN"),
    ("verdict: intent", "verdict.py", "_INTENT_DOMAIN + leg_id.encode()", "_INTENT_DOMAIN"),
    ("verdict: coin", "verdict.py", "ETH if action.call.value else NOTHING", "NOTHING"),
]

MUTANTS = (
    *(Mutant(f"module: {name}", _MODULE, old, new) for name, old, new in _MODULE_EDITS),
    *(Mutant(f"leaf: {name}", _LEAF, old, new) for name, old, new in _LEAF_EDITS),
    *(Mutant(name, f"{_CUSTODY}/{file}", old, new) for name, file, old, new in _PYTHON_EDITS),
)
