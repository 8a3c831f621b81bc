// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// A plain ERC-20 that anybody may mint; the others differ from it in one way each.
contract Token {
    mapping(address owner => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    function mint(address owner, uint256 amount) external {
        balanceOf[owner] += amount;
    }

    function approve(address spender, uint256 amount) external virtual returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
        return true;
    }

    function _move(address from, address to, uint256 amount) internal virtual {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// Says that it did not approve, and did.
contract DenyingToken is Token {
    function approve(address spender, uint256 amount) external override returns (bool) {
        allowance[msg.sender][spender] = amount;
        return false;
    }
}

/// Says that it approved, and did not.
contract ForgetfulToken is Token {
    function approve(address, uint256) external pure override returns (bool) {
        return true;
    }
}

/// Keeps a hundredth of what is moved.
contract FeeToken is Token {
    function _move(address from, address to, uint256 amount) internal override {
        balanceOf[from] -= amount;
        balanceOf[to] += amount - amount / 100;
    }
}

/// Takes a hundredth more than what is moved.
contract SurchargeToken is Token {
    function _move(address from, address to, uint256 amount) internal override {
        balanceOf[from] -= amount + amount / 100;
        balanceOf[to] += amount;
    }
}

/// Keeps a part of what is moved, or takes one on top, as anybody sets them (in hundredths of a
/// percent) and at any time; its events say what moved.
contract TollToken is Token {
    uint8 public immutable decimals;
    uint256 public kept;
    uint256 public added;

    event Transfer(address indexed from, address indexed to, uint256 amount);

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }

    function setTolls(uint256 kept_, uint256 added_) external {
        (kept, added) = (kept_, added_);
    }

    function _move(address from, address to, uint256 amount) internal override {
        uint256 arriving = amount - amount * kept / 10_000;
        uint256 leaving = amount + amount * added / 10_000;
        balanceOf[from] -= leaving;
        balanceOf[to] += arriving;
        balanceOf[address(this)] += leaving - arriving;
        emit Transfer(from, to, arriving);
        if (leaving != arriving) emit Transfer(from, address(this), leaving - arriving);
    }
}

/// Cannot take an allowance back to nothing.
contract StickyToken is Token {
    function approve(address spender, uint256 amount) external override returns (bool) {
        require(amount != 0, "no zero");
        allowance[msg.sender][spender] = amount;
        return true;
    }
}

/// Calls somebody in the middle of every transfer.
contract HookToken is Token {
    address public hook;
    bytes public payload;

    function onMove(address hook_, bytes calldata payload_) external {
        (hook, payload) = (hook_, payload_);
    }

    function _move(address from, address to, uint256 amount) internal override {
        super._move(from, to, amount);
        if (hook != address(0)) {
            (bool success, bytes memory reason) = hook.call(payload);
            if (!success) {
                assembly {
                    revert(add(reason, 32), mload(reason))
                }
            }
        }
    }
}

/// Returns nothing, and takes no allowance over a standing one, as USDT does.
contract SilentToken {
    mapping(address owner => uint256) public balanceOf;
    mapping(address owner => mapping(address spender => uint256)) public allowance;

    function mint(address owner, uint256 amount) external {
        balanceOf[owner] += amount;
    }

    function approve(address spender, uint256 amount) external {
        require(amount == 0 || allowance[msg.sender][spender] == 0, "zero first");
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}
