(* Answers cases with the extracted checker: one a line from standard input, one answer a line.

     bound FORM STRESS TREE  ->  "bound N" | "refused"      what the certificate proves
     value FORM MOVES        ->  "value N"                  the form in a scenario of integers
     holds STRESS MOVES      ->  "holds" | "outside"        whether the set declares the scenario

   Words are parted by single spaces; every other word is a decimal integer; a list is its length,
   then its elements.

     FORM    constant, linear (integers), hinges (weight driver slope offset)
     STRESS  intervals (low high), rows (bound, terms (driver coefficient))
     TREE    split driver at TREE TREE  |  leaf, tangents (integers), multipliers (row weight)
     MOVES   integers

   A line that reads otherwise ends the program with exit code 2: it is no refusal. *)

open Checker

exception Unreadable of string

type words = { mutable left : string list }

let word words =
  match words.left with
  | [] -> raise (Unreadable "the line ends early")
  | first :: rest -> words.left <- rest; first

let integer words =
  let text = word words in
  try Big_int_Z.big_int_of_string text
  with Invalid_argument _ -> raise (Unreadable (text ^ " is no integer"))

let several element words =
  let rec go n = if n = 0 then [] else let first = element words in first :: go (n - 1) in
  let count = int_of_string (word words) in
  if count < 0 then raise (Unreadable "a list of negative length") else go count

let pair words = let first = integer words in (first, integer words)

let hinge words =
  let weight = integer words in
  let driver = integer words in
  let slope = integer words in
  { weight; driver; slope; offset = integer words }

let form words =
  let constant = integer words in
  let linear = several integer words in
  { constant; linear; hinges = several hinge words }

let row words = let limit = integer words in { limit; terms = several pair words }

let stress words = let intervals = several pair words in { intervals; rows = several row words }

let rec tree words =
  match word words with
  | "leaf" ->
      let tangents = several integer words in
      Leaf (tangents, several pair words)
  | "split" ->
      let driver = integer words in
      let at = integer words in
      let below = tree words in
      Split (driver, at, below, tree words)
  | other -> raise (Unreadable (other ^ " is neither leaf nor split"))

let answer words =
  match word words with
  | "bound" -> (
      let f = form words in
      let s = stress words in
      match proved_bound f s (tree words) with
      | Some bound -> "bound " ^ Big_int_Z.string_of_big_int bound
      | None -> "refused")
  | "value" ->
      let f = form words in
      "value " ^ Big_int_Z.string_of_big_int (form_at f (several integer words))
  | "holds" ->
      let s = stress words in
      if holds s (several integer words) then "holds" else "outside"
  | other -> raise (Unreadable (other ^ " is no question"))

let () =
  try
    while true do
      let words = { left = String.split_on_char ' ' (input_line stdin) } in
      let text = answer words in
      if words.left <> [] then raise (Unreadable "words are left over");
      print_endline text
    done
  with
  | End_of_file -> ()
  | Unreadable why | Failure why -> prerr_endline why; exit 2
