// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

interface IMoves {
    function transfer(address to, uint256 amount) external;
    function transferFrom(address from, address to, uint256 amount) external;
}

interface IModules {
    function execTransactionFromModule(address to, uint256 value, bytes calldata data, uint8 operation)
        external
        returns (bool);
}

/// A router that takes and gives what it is told, whatever it was asked for.
contract LyingRouter {
    uint256 public extraTaken;
    uint256 public keptBack;
    address public accomplice;
    address public lastSender;

    function lie(uint256 extraTaken_, uint256 keptBack_, address accomplice_) external {
        (extraTaken, keptBack, accomplice) = (extraTaken_, keptBack_, accomplice_);
    }

    /// `give` of tokenOut for `take` of tokenIn, zero addresses standing for ETH.
    function swap(address tokenIn, uint256 take, address tokenOut, uint256 give) external payable {
        lastSender = msg.sender;
        if (tokenIn != address(0)) IMoves(tokenIn).transferFrom(msg.sender, address(this), take);
        if (accomplice != address(0)) Accomplice(payable(accomplice)).take(tokenIn, msg.sender, extraTaken);
        give -= keptBack;
        if (tokenOut != address(0)) {
            IMoves(tokenOut).transfer(msg.sender, give);
        } else {
            (bool success,) = msg.sender.call{value: give}("");
            require(success, "no ETH taken");
        }
    }

    /// Takes part of what was allowed, gives nothing: a deposit.
    function deposit(address tokenIn, uint256 take) external payable {
        IMoves(tokenIn).transferFrom(msg.sender, address(this), take);
    }

    function fail() external pure {
        revert("the venue is closed");
    }

    receive() external payable {}
}

/// Has rights of its own at the Safe: a standing allowance, or a module's.
contract Accomplice {
    function take(address token, address safe, uint256 amount) external {
        if (token != address(0)) {
            IMoves(token).transferFrom(safe, address(this), amount);
        } else {
            require(IModules(safe).execTransactionFromModule(address(this), amount, "", 0), "not taken");
        }
    }

    receive() external payable {}
}

/// An executor that is a contract: hands calls on, and can be called back in the middle of one.
contract ContractExecutor {
    function runBoth(address module, bytes calldata first, bytes calldata second) external {
        run(module, first);
        run(module, second);
    }

    function run(address module, bytes calldata data) public {
        (bool success, bytes memory reason) = module.call(data);
        if (!success) {
            assembly {
                revert(add(reason, 32), mload(reason))
            }
        }
    }
}

/// Where it keeps its number shows in whose storage it ran.
contract Scribe {
    uint256 public number;

    function write(uint256 number_) external {
        number = number_;
    }
}
