// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// A Safe's side of the module interface (Safe 1.3 and later).
interface ISafe {
    function execTransactionFromModuleReturnData(address to, uint256 value, bytes calldata data, uint8 operation)
        external
        returns (bool success, bytes memory returned);

    function isModuleEnabled(address module) external view returns (bool);
}

/// The views of ERC-20 that the module reads; calls that change something go through the Safe.
interface IERC20 {
    function balanceOf(address owner) external view returns (uint256);

    function allowance(address owner, address spender) external view returns (uint256);

    function approve(address spender, uint256 amount) external returns (bool);
}

/// @title A Safe's module that executes what a signed verdict covers, and nothing else.
///
/// The guard proves an order against the mandate and signs a Verdict (EIP-712). The executor brings
/// verdict, calldata and signature; the Safe calls the target, and afterwards the Safe's own
/// balances must say what the verdict says, or the whole transaction fails:
///
///     tokenIn fell by at most maxIn, tokenOut rose by at least minOut, ETH fell by at most value
///
/// Neither key suffices alone: the executor's moves nothing without a verdict, the guard's sends
/// nothing. The Safe's owners stay above both.
///
/// What a target may never be, because the Safe as msg.sender has rights there beyond the allowance:
/// the Safe itself (owners, modules, guards), a module of the Safe (this one among them), a token
/// (anything that answers balanceOf: transfer and approve are what allowances are there to bound),
/// and an account without code (a call to it succeeds and gives ETH away). Operation is always CALL.
contract VerdictModule {
    struct Verdict {
        bytes32 intentId; // of the logged intent; goes into the event
        bytes32 mandateHash; // under which mandate it was proved
        address target; // what the Safe calls
        uint256 value; // wei sent along
        bytes32 callHash; // keccak256 of the calldata
        address spender; // may take tokenIn while the call runs; zero if tokenIn is no token
        address tokenIn; // a token, ETH, or zero for nothing
        uint256 maxIn;
        address tokenOut; // a token, ETH, or zero for nothing
        uint256 minOut;
        uint256 nonce; // unordered: word = nonce / 256, bit = nonce % 256
        uint256 deadline; // Unix seconds, the last one at which it may run
    }

    /// What the Safe has: of ETH, of tokenIn and of tokenOut.
    struct Balances {
        uint256 coin;
        uint256 tokenIn;
        uint256 tokenOut;
    }

    /// What stands for the chain's own coin in tokenIn and tokenOut (EIP-7528).
    address public constant ETH = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME_HASH = keccak256("VerdictModule");
    bytes32 private constant VERSION_HASH = keccak256("1");
    bytes32 public constant VERDICT_TYPEHASH = keccak256(
        "Verdict(bytes32 intentId,bytes32 mandateHash,address target,uint256 value,bytes32 callHash,address spender,address tokenIn,uint256 maxIn,address tokenOut,uint256 minOut,uint256 nonce,uint256 deadline)"
    );
    bytes32 public constant SUCCESSION_TYPEHASH = keccak256("Succession(address predecessor,address successor)");
    // Half of the order of secp256k1: of the two values s that sign the same, the lower is taken.
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    ISafe public immutable safe;
    address public guard;
    address public executor;
    address public pauser;
    bytes32 public mandateHash;
    bool public paused;
    /// Keys that were the guard's once; none of them becomes it again.
    mapping(address key => bool) public retired;
    mapping(uint256 word => uint256 bits) public nonceBitmap;
    bool private transient _entered;

    event Executed(bytes32 indexed intentId, bytes32 indexed mandateHash, uint256 nonce, uint256 spent, uint256 got);
    event GuardRotated(address indexed predecessor, address indexed successor);
    event ExecutorRotated(address indexed predecessor, address indexed successor);
    event PauserChanged(address indexed predecessor, address indexed successor);
    event MandateChanged(bytes32 indexed predecessor, bytes32 indexed successor);
    event Paused(address by);
    event Unpaused();

    error NotSafe(address sender);
    error NotExecutor(address sender);
    error NotPauser(address sender);
    error IsPaused();
    error Reentered();
    error Expired(uint256 deadline);
    error StaleMandate(bytes32 mandateHash);
    error CallMismatch(bytes32 callHash);
    error BadSignature();
    error NonceUsed(uint256 nonce);
    error ForbiddenTarget(address target);
    error BadTerms();
    error BadKey(address key);
    error ApprovalFailed(address token);
    error CallFailed(bytes reason);
    error Overspent(uint256 spent, uint256 most);
    error Undelivered(uint256 got, uint256 least);

    modifier onlySafe() {
        if (msg.sender != address(safe)) revert NotSafe(msg.sender);
        _;
    }

    constructor(ISafe safe_, address guard_, address executor_, address pauser_, bytes32 mandateHash_) {
        if (address(safe_).code.length == 0) revert BadKey(address(safe_));
        _requireKeys(guard_, executor_);
        safe = safe_;
        guard = guard_;
        executor = executor_;
        pauser = pauser_;
        mandateHash = mandateHash_;
    }

    // --- execution ---------------------------------------------------------------------------

    /// Run `data` on the verdict's target through the Safe.
    /// @return spent what tokenIn fell by
    /// @return got what tokenOut rose by
    function execute(Verdict calldata verdict, bytes calldata data, bytes calldata signature)
        external
        returns (uint256 spent, uint256 got)
    {
        if (_entered) revert Reentered();
        _entered = true;
        _requireCovered(verdict, data, signature);
        _requireTerms(verdict);
        _useNonce(verdict.nonce);

        Balances memory before = _balances(verdict);
        bool approves = verdict.spender != address(0);
        if (approves) _approve(verdict.tokenIn, verdict.spender, verdict.maxIn);

        (bool success, bytes memory returned) =
            safe.execTransactionFromModuleReturnData(verdict.target, verdict.value, data, 0);
        if (!success) revert CallFailed(returned);

        if (approves) _approve(verdict.tokenIn, verdict.spender, 0);
        (spent, got) = _requireOutcome(verdict, before, _balances(verdict));
        emit Executed(verdict.intentId, verdict.mandateHash, verdict.nonce, spent, got);
        _entered = false;
    }

    /// The EIP-712 digest that the guard signs; this chain and this module are in its domain.
    function digest(Verdict calldata verdict) public view returns (bytes32) {
        return _typed(keccak256(abi.encode(VERDICT_TYPEHASH, verdict)));
    }

    /// The EIP-712 digest by which a new guard's key shows that it exists and means this module.
    function successionDigest(address predecessor, address successor) public view returns (bytes32) {
        return _typed(keccak256(abi.encode(SUCCESSION_TYPEHASH, predecessor, successor)));
    }

    // --- what the Safe decides ---------------------------------------------------------------

    /// Another guard's key, from now on: what the old one signed is worth nothing any more. At once,
    /// because a key is changed in haste when it is lost, and the owners can move everything anyway.
    function rotateGuard(address successor, bytes calldata acceptance) external onlySafe {
        _requireKeys(successor, executor);
        if (retired[successor] || successor == guard) revert BadKey(successor);
        if (_signer(successionDigest(guard, successor), acceptance) != successor) revert BadSignature();
        retired[guard] = true;
        emit GuardRotated(guard, successor);
        guard = successor;
    }

    function rotateExecutor(address successor) external onlySafe {
        _requireKeys(guard, successor);
        emit ExecutorRotated(executor, successor);
        executor = successor;
    }

    /// Zero: only the Safe can pause.
    function setPauser(address successor) external onlySafe {
        emit PauserChanged(pauser, successor);
        pauser = successor;
    }

    function setMandate(bytes32 successor) external onlySafe {
        emit MandateChanged(mandateHash, successor);
        mandateHash = successor;
    }

    function pause() external {
        if (msg.sender != address(safe) && msg.sender != pauser) revert NotPauser(msg.sender);
        paused = true;
        emit Paused(msg.sender);
    }

    function unpause() external onlySafe {
        paused = false;
        emit Unpaused();
    }

    // --- what must hold ----------------------------------------------------------------------

    function _requireCovered(Verdict calldata verdict, bytes calldata data, bytes calldata signature) private view {
        if (msg.sender != executor) revert NotExecutor(msg.sender);
        if (paused) revert IsPaused();
        if (block.timestamp > verdict.deadline) revert Expired(verdict.deadline);
        if (verdict.mandateHash != mandateHash) revert StaleMandate(verdict.mandateHash);
        if (keccak256(data) != verdict.callHash) revert CallMismatch(keccak256(data));
        if (_signer(digest(verdict), signature) != guard) revert BadSignature();
    }

    function _requireTerms(Verdict calldata verdict) private view {
        address target = verdict.target;
        if (target == address(safe) || target.code.length == 0) revert ForbiddenTarget(target);
        if (safe.isModuleEnabled(target) || _isToken(target)) revert ForbiddenTarget(target);
        if (verdict.tokenIn == address(0) || verdict.tokenIn == ETH) {
            // Nothing is there to approve; of ETH, exactly what is sent may be spent.
            if (verdict.spender != address(0)) revert BadTerms();
            if (verdict.maxIn != (verdict.tokenIn == ETH ? verdict.value : 0)) revert BadTerms();
        } else if (verdict.spender == address(0)) {
            revert BadTerms();
        }
        if (verdict.tokenOut == address(0) && verdict.minOut != 0) revert BadTerms();
        // Of one asset going both ways, only the difference could be seen.
        if (verdict.tokenIn == verdict.tokenOut && verdict.tokenIn != address(0)) revert BadTerms();
    }

    /// Whether the target answers balanceOf, as ERC-20, ERC-721 and ERC-777 tokens do.
    function _isToken(address target) private view returns (bool) {
        (bool success, bytes memory returned) =
            target.staticcall(abi.encodeCall(IERC20.balanceOf, (address(safe))));
        return success && returned.length >= 32;
    }

    function _requireOutcome(Verdict calldata verdict, Balances memory before, Balances memory afterwards)
        private
        pure
        returns (uint256 spent, uint256 got)
    {
        uint256 sent = _fall(before.coin, afterwards.coin);
        spent = _fall(before.tokenIn, afterwards.tokenIn);
        got = _fall(afterwards.tokenOut, before.tokenOut);
        if (sent > verdict.value) revert Overspent(sent, verdict.value);
        if (spent > verdict.maxIn) revert Overspent(spent, verdict.maxIn);
        if (got < verdict.minOut) revert Undelivered(got, verdict.minOut);
    }

    function _useNonce(uint256 nonce) private {
        uint256 bit = 1 << (nonce & 255);
        uint256 bits = nonceBitmap[nonce >> 8];
        if (bits & bit != 0) revert NonceUsed(nonce);
        nonceBitmap[nonce >> 8] = bits | bit;
    }

    function _requireKeys(address guard_, address executor_) private pure {
        // One key in both roles would sign its own verdicts.
        if (guard_ == address(0)) revert BadKey(guard_);
        if (executor_ == address(0) || executor_ == guard_) revert BadKey(executor_);
    }

    // --- the Safe's tokens -------------------------------------------------------------------

    /// Make the allowance exactly `amount`; some tokens want a zero in between, some say nothing.
    function _approve(address token, address spender, uint256 amount) private {
        uint256 standing = IERC20(token).allowance(address(safe), spender);
        if (standing == amount) return;
        if (standing != 0 && amount != 0) _callApprove(token, spender, 0);
        _callApprove(token, spender, amount);
        if (IERC20(token).allowance(address(safe), spender) != amount) revert ApprovalFailed(token);
    }

    function _callApprove(address token, address spender, uint256 amount) private {
        (bool success, bytes memory returned) =
            safe.execTransactionFromModuleReturnData(token, 0, abi.encodeCall(IERC20.approve, (spender, amount)), 0);
        // A token without a return value is believed for its allowance; one that says false is not.
        if (!success || (returned.length != 0 && abi.decode(returned, (uint256)) != 1)) revert ApprovalFailed(token);
    }

    function _balances(Verdict calldata verdict) private view returns (Balances memory) {
        return Balances(address(safe).balance, _balance(verdict.tokenIn), _balance(verdict.tokenOut));
    }

    function _balance(address token) private view returns (uint256) {
        if (token == address(0)) return 0;
        if (token == ETH) return address(safe).balance;
        return IERC20(token).balanceOf(address(safe));
    }

    function _fall(uint256 from, uint256 to) private pure returns (uint256) {
        return from > to ? from - to : 0;
    }

    // --- signatures --------------------------------------------------------------------------

    function _typed(bytes32 structHash) private view returns (bytes32) {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, address(this)));
        return keccak256(abi.encodePacked("\x19\x01", domain, structHash));
    }

    /// Who signed; of each signature one spelling only (65 bytes r, s, v; s low; v 27 or 28).
    function _signer(bytes32 hash, bytes calldata signature) private pure returns (address signer) {
        if (signature.length != 65) revert BadSignature();
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        uint8 v = uint8(signature[64]);
        if (uint256(s) > HALF_ORDER || (v != 27 && v != 28)) revert BadSignature();
        signer = ecrecover(hash, v, r, s);
        if (signer == address(0)) revert BadSignature();
    }
}
