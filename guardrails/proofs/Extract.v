(** The checker as an OCaml program over Zarith's integers, with the integer readings of a form and
    of a stress set. Trusted here: Coq's extraction, and the standard library's mapping of [Z] to
    Zarith, whose division by a positive number rounds down as [Z./] does. *)
Require Import Extraction ExtrOcamlBasic ExtrOcamlZBigInt.
From AgentFund Require Import Checker Meaning.

Extraction "checker.ml" proved_bound form_at holds.
