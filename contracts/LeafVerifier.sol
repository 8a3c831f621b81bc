// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title The certificate kernel's checker for one leaf on a stress set's own box.
///
/// What agent_fund/guard/kernel/check.py computes, in the same integers: a form
///
///     value(x) = constant + sum linear[i] * x[i] + sum weight * max(0, slope * x[driver] + offset)
///
/// over a box and rows, and a leaf (tangents of the concave hinges, multipliers of the rows) prove a
/// bound: each hinge lies below its line on the box, multipliers are not negative, and the box
/// absorbs what is left. Arithmetic is checked: what does not fit int256 reverts, so a certificate of
/// numbers too large proves nothing here. Every intermediate result fits as long as the sum of the
/// absolute values of all parts on the box, rows included, stays below 2**210 (in money: 10**57
/// units, since forms hold money times 10**6).
///
/// Three byte strings, all of varints (unsigned LEB128 in the shortest spelling; z: signed, zigzag):
///
///     form        = constant(z) count linear(z)* count hinge*
///     hinge       = weight(z) driver slope(z) offset(z)
///     stress      = count interval* count row*
///     interval    = -low high                            so low <= 0 <= high
///     row         = count term* bound                    so bound >= 0
///     term        = drivers skipped, coefficient(z)      so drivers increase
///     certificate = the kernel's compact bytes: 2 0 count tangent* count weight*
///     tangent     = 0 for zero, 1 for ONE, else its share + 1
///     weight      = rows skipped, exponent, odd mantissa
///
/// Nothing may be left over, so each input has one spelling: a caller that stored keccak256 of a
/// stress set knows which set was proved.
contract LeafVerifier {
    uint256 private constant CERTIFICATE_VERSION = 2;
    uint256 private constant SHIFT = 40;
    int256 private constant ONE = 1 << 40;
    uint256 private constant SCALE = 1_000_000;

    error EndsEarly();
    error LeftOver();
    error TooLarge();
    error TooLong();
    error BadCertificate();
    error BadTangent();
    error BadMultiplier();
    error BadBox(uint256 driver);
    error BadRow(uint256 row);
    error BadDriver(uint256 driver);
    error DriversDiffer(uint256 form, uint256 stress);

    /// A part of the calldata, and how far it is read.
    struct Reader {
        uint256 at;
        uint256 end;
    }

    /// What a leaf adds up, in units of 1 / ONE: a constant, and a coefficient a driver.
    struct Sum {
        int256 total;
        int256[] residual;
        int256[] low;
        int256[] high;
    }

    /// The least integer B for which the leaf proves value(x) <= B on the whole stress set.
    function provedBound(bytes calldata form, bytes calldata stress, bytes calldata certificate)
        public
        pure
        returns (int256)
    {
        Reader memory set = _reader(stress);
        Reader memory loss = _reader(form);
        Reader memory leaf = _reader(certificate);
        if (_number(leaf) != CERTIFICATE_VERSION || _number(leaf) != 0) revert BadCertificate();

        Sum memory sum;
        _readBox(set, sum);
        _readLinear(loss, sum);
        _addHinges(loss, leaf, sum);
        _addRows(set, leaf, sum);
        if (set.at != set.end || loss.at != loss.end || leaf.at != leaf.end) revert LeftOver();

        int256 total = sum.total;
        for (uint256 i = 0; i < sum.residual.length; i++) {
            int256 coefficient = sum.residual[i];
            total += coefficient * (coefficient > 0 ? sum.high[i] : sum.low[i]);
        }
        return -(-total >> SHIFT); // >> rounds down, so this rounds up
    }

    /// Whether the leaf proves value(x) <= bound on the whole stress set; malformed input reverts.
    function check(bytes calldata form, bytes calldata stress, bytes calldata certificate, int256 bound)
        external
        pure
        returns (bool)
    {
        return provedBound(form, stress, certificate) <= bound;
    }

    // --- the form and the set ----------------------------------------------------------------

    function _readBox(Reader memory set, Sum memory sum) private pure {
        uint256 count = _count(set);
        sum.low = new int256[](count);
        sum.high = new int256[](count);
        for (uint256 i = 0; i < count; i++) {
            uint256 fall = _number(set);
            if (fall > SCALE) revert BadBox(i);
            sum.low[i] = -int256(fall);
            sum.high[i] = _positive(_number(set));
        }
    }

    function _readLinear(Reader memory loss, Sum memory sum) private pure {
        sum.total = _signed(loss) * ONE;
        uint256 count = _count(loss);
        if (count != sum.low.length) revert DriversDiffer(count, sum.low.length);
        sum.residual = new int256[](count);
        for (uint256 i = 0; i < count; i++) {
            sum.residual[i] = _signed(loss) * ONE;
        }
    }

    function _addHinges(Reader memory loss, Reader memory leaf, Sum memory sum) private pure {
        uint256 tangents = _count(leaf);
        uint256 hinges = _count(loss);
        for (uint256 i = 0; i < hinges; i++) {
            int256 weight = _signed(loss);
            uint256 driver = _number(loss);
            int256 slope = _signed(loss);
            int256 offset = _signed(loss);
            if (driver >= sum.low.length) revert BadDriver(driver);
            if (weight < 0) {
                if (tangents == 0) revert BadTangent();
                tangents--;
                weight *= _share(_number(leaf));
                (slope, offset) = (weight * slope, weight * offset);
            } else {
                (slope, offset) = _chord(weight, slope, offset, sum.low[driver], sum.high[driver]);
            }
            sum.residual[driver] += slope;
            sum.total += offset;
        }
        if (tangents != 0) revert BadTangent();
    }

    function _addRows(Reader memory set, Reader memory leaf, Sum memory sum) private pure {
        uint256 weights = _count(leaf);
        uint256 rows = _count(set);
        int256[] memory residual = sum.residual;
        uint256 drivers = residual.length;
        uint256 next = weights == 0 ? type(uint256).max : _number(leaf);
        for (uint256 i = 0; i < rows; i++) {
            int256 multiplier = 0;
            if (i == next) {
                multiplier = _multiplier(leaf);
                weights--;
                next = weights == 0 ? type(uint256).max : i + 1 + _number(leaf);
            }
            uint256 terms = _count(set);
            uint256 driver = 0;
            for (uint256 j = 0; j < terms; j++) {
                driver += _number(set);
                int256 coefficient = _signed(set);
                if (driver >= drivers || coefficient == 0) revert BadRow(i);
                if (multiplier != 0) residual[driver] -= multiplier * coefficient;
                driver++;
            }
            int256 bound = _positive(_number(set));
            if (multiplier != 0) sum.total += multiplier * bound;
        }
        if (weights != 0) revert BadMultiplier();
    }

    /// Slope and offset of the line through a convex hinge's two ends, rounded up above both.
    function _chord(int256 weight, int256 slope, int256 offset, int256 low, int256 high)
        private
        pure
        returns (int256, int256)
    {
        int256 left = slope * low + offset;
        int256 right = slope * high + offset;
        if (left >= 0 && right >= 0) return (weight * slope * ONE, weight * offset * ONE);
        if (left <= 0 && right <= 0) return (0, 0);
        left = left > 0 ? weight * left * ONE : int256(0);
        right = right > 0 ? weight * right * ONE : int256(0);
        int256 width = high - low; // not zero, or both ends had one sign
        int256 rise = (right - left) / width;
        if (rise * width > right - left) rise--; // Solidity rounds towards zero, the kernel down
        int256 first = left - rise * low;
        int256 second = right - rise * high;
        return (rise, first > second ? first : second);
    }

    // --- the certificate ---------------------------------------------------------------------

    function _share(uint256 written) private pure returns (int256) {
        if (written > uint256(ONE)) revert BadTangent();
        if (written == 1) return ONE;
        return written == 0 ? int256(0) : int256(written - 1);
    }

    function _multiplier(Reader memory leaf) private pure returns (int256) {
        uint256 exponent = _number(leaf);
        uint256 mantissa = _number(leaf);
        if (mantissa & 1 == 0) revert BadMultiplier();
        if (exponent > 254 || mantissa > uint256(type(int256).max) >> exponent) revert TooLarge();
        return int256(mantissa << exponent);
    }

    // --- numbers -----------------------------------------------------------------------------

    function _reader(bytes calldata data) private pure returns (Reader memory reader) {
        assembly ("memory-safe") {
            mstore(reader, data.offset)
            mstore(add(reader, 32), add(data.offset, data.length))
        }
    }

    /// The next varint; at most 256 bits.
    function _number(Reader memory reader) private pure returns (uint256 value) {
        unchecked {
            uint256 at = reader.at;
            assembly ("memory-safe") {
                value := byte(0, calldataload(at))
            }
            at++;
            if (value > 127) {
                value &= 127;
                uint256 shift = 7;
                uint256 digit;
                while (true) {
                    assembly ("memory-safe") {
                        digit := byte(0, calldataload(at))
                    }
                    at++;
                    if (shift == 252 && digit > 15) revert TooLarge();
                    value |= (digit & 127) << shift;
                    if (digit < 128) break;
                    shift += 7;
                }
                if (digit == 0) revert TooLong();
            }
            if (at > reader.end) revert EndsEarly();
            reader.at = at;
        }
    }

    /// The next varint as a number of things that follow, each of a byte at least.
    function _count(Reader memory reader) private pure returns (uint256 value) {
        value = _number(reader);
        if (value > reader.end - reader.at) revert EndsEarly();
    }

    function _signed(Reader memory reader) private pure returns (int256) {
        uint256 written = _number(reader);
        return int256(written >> 1) ^ -int256(written & 1);
    }

    function _positive(uint256 value) private pure returns (int256) {
        if (value > uint256(type(int256).max)) revert TooLarge();
        return int256(value);
    }
}
