// Standard JSON on standard input, the compiler's answer on standard output.
//   node solc.js /path/to/soljson.js < input.json > output.json
"use strict";
const fs = require("fs");

const soljson = require(process.argv[2]);
const compile = soljson.cwrap("solidity_compile", "string", ["string", "number", "number"]);
process.stdout.write(compile(fs.readFileSync(0, "utf8"), 0, 0));
