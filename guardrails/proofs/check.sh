#!/usr/bin/env bash
# Compiles every proof, has Coq's own checker go over it again, refuses any axiom, extracts the
# checker and compares it with the Python kernel. Works in build/proofs; needs no Python package.
#
#   guardrails/proofs/check.sh [--checker FOLDER]
#
# --checker: only extract the checker and build FOLDER/checker.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${PYTHON:-python3}
cases=${CASES:-6000}

fail() {
  echo "proofs: $*" >&2
  exit 1
}

for tool in coqc coqchk coq_makefile ocamlfind; do
  command -v "$tool" >/dev/null || fail "$tool is missing; on Debian: apt-get install" \
    "--no-install-recommends coq ocaml-nox ocaml-findlib libzarith-ocaml-dev"
done
ocamlfind query zarith >/dev/null 2>&1 || fail "OCaml's zarith is missing (libzarith-ocaml-dev)"

build_checker() {
  coqc -q -R . AgentFund Extract.v
  ocamlfind ocamlopt -package zarith -w -a -c checker.mli checker.ml
  ocamlfind ocamlopt -package zarith -linkpkg -w +a-4-40..42-44-45-70 -warn-error +a \
    checker.cmx answers.ml -o checker
}

if [ "${1:-}" = --checker ]; then
  [ -n "${2:-}" ] || fail "--checker needs a folder"
  mkdir -p "$2"
  cp "$here"/{Checker,Meaning,Extract}.v "$here/answers.ml" "$2"
  cd "$2"
  coqc -q -R . AgentFund Checker.v
  coqc -q -R . AgentFund Meaning.v
  build_checker
  exit 0
fi

build="$root/build/proofs"
rm -rf "$build"
mkdir -p "$build"
cp "$here"/*.v "$here"/answers.ml "$here"/_CoqProject "$build"
cd "$build"

files=$(grep '\.v$' _CoqProject || true)
unlisted=$(printf '%s\n' *.v | grep -vxF -e Extract.v -e "$files" || true)
[ -z "$unlisted" ] || fail "not in _CoqProject: $unlisted"

# Every theorem has a sentence above it.
for file in $files; do
  awk -v file="$file" '
    /^ *Theorem / && before !~ /\*\) *$/ { print file ": no sentence above " $2; bad = 1 }
    { before = $0 }
    END { exit bad }' "$file" >&2 || fail "a theorem without its sentence"
done

# The README says what is proved, all of it.
theorems=$(sed -nE 's/^ *Theorem +([A-Za-z0-9_]+).*/\1/p' $files)
for name in $theorems; do
  grep -qF "\`$name\`" "$here/README.md" || fail "README.md does not name the theorem $name"
done

coq_makefile -f _CoqProject -o CoqMakefile
make --no-print-directory -f CoqMakefile -j2

# Every statement, asked one by one what it rests on.
statement='^ *(Theorem|Lemma|Corollary|Proposition|Fact|Remark) +([A-Za-z0-9_'\'']+).*'
for file in $files; do
  echo "From AgentFund Require ${file%.v}."
  sed -nE "s/$statement/Print Assumptions AgentFund.${file%.v}.\2./p" "$file"
done >Assumptions.v
asked=$(grep -c '^Print' Assumptions.v)
coqc -q -R . AgentFund Assumptions.v >assumptions.txt
closed=$(grep -c '^Closed under the global context$' assumptions.txt || true)
[ "$asked" -gt 0 ] && [ "$asked" = "$closed" ] || {
  grep -v '^Closed' assumptions.txt >&2 || true
  fail "$closed of $asked statements rest on nothing"
}

# The independent checker reads the compiled files again, with those of the library they use.
modules=$(sed -nE 's/(.*)\.v$/AgentFund.\1/p' <<<"$files")
coqchk -silent -o -R . AgentFund $modules >coqchk.txt 2>&1 || { cat coqchk.txt >&2; fail coqchk; }
[ "$(grep -c '^\* .*: <none>$' coqchk.txt)" = 4 ] || { cat coqchk.txt >&2; fail "coqchk: axioms"; }

build_checker
cd "$root"
"$python" -m guardrails.proofs.differential "$build/checker" --cases "$cases"
echo "$(wc -w <<<"$theorems") theorems, $asked statements, no axiom"
