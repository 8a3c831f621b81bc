(** The way out: the book is closed in slices, each at some scenario of the stress set.

    [worth x] is what the fund would be worth if the market stood at the scenario [x] now. Closing
    the share [a] of everything at the scenario [s] turns it into [a * worth s + (1 - a) * worth x]:
    a mixture of two points of the set. So nothing that holds at every point of the set is lost on
    the way, whatever the slices and wherever they fall; costs and what uneven legs miss come on
    top. *)
Require Import QArith Qminmax Qabs Lqa List.
Import ListNotations.
Open Scope Q_scope.
From AgentFund Require Import Sums.

Section Unwind.
  Variable scenario : Type.
  Variable inside : scenario -> Prop.

  (** At every point of the set the fund would be worth [low] at least and [high] at most. *)
  Definition between (low high : Q) (worth : scenario -> Q) : Prop :=
    forall x, inside x -> low <= worth x <= high.

  (** One slice keeps the bounds, but for its cost and what its legs miss by closing unevenly. *)
  Theorem slice_keeps_bounds : forall low high worth worth' a s cost miss,
    between low high worth -> inside s -> 0 <= a <= 1 -> 0 <= cost ->
    (forall x, inside x ->
       a * worth s + (1 - a) * worth x - cost - miss <= worth' x
       <= a * worth s + (1 - a) * worth x + miss) ->
    between (low - cost - miss) (high + miss) worth'.
  Proof.
    intros low high worth worth' a s cost miss B S A C H x X.
    destruct (B s S) as [L1 U1]. destruct (B x X) as [L2 U2]. destruct (H x X) as [L U].
    split; nra.
  Qed.

  (** A slice: the share of what is left, where it is closed, its cost, and what its legs miss at
      most. *)
  Record slice := Slice { share : Q; point : scenario; cost : Q; miss : Q }.

  Definition slice_ok (c : slice) : Prop :=
    0 <= share c <= 1 /\ inside (point c) /\ 0 <= cost c /\ 0 <= miss c.

  Fixpoint costs (slices : list slice) : Q :=
    match slices with [] => 0 | c :: rest => cost c + costs rest end.

  Fixpoint misses (slices : list slice) : Q :=
    match slices with [] => 0 | c :: rest => miss c + misses rest end.

  (** The fund's worth after some slices: each mixes, costs, and may miss by its allowance. *)
  Inductive unwound (worth : scenario -> Q) : list slice -> (scenario -> Q) -> Prop :=
  | Unclosed : unwound worth [] worth
  | Closed : forall slices w c w', unwound worth slices w -> slice_ok c ->
      (forall x, inside x ->
         share c * w (point c) + (1 - share c) * w x - cost c - miss c <= w' x
         <= share c * w (point c) + (1 - share c) * w x + miss c) ->
      unwound worth (c :: slices) w'.

  (** At every moment of a way out in proportional slices the fund is worth no less than the
      certified loss, the costs so far and the legging so far below its value at the decision, and
      no more than the certified gain and the legging so far above it. *)
  Theorem unwind_stays_within : forall value loss gain worth slices w,
    between (value - loss) (value + gain) worth -> unwound worth slices w ->
    between (value - loss - costs slices - misses slices) (value + gain + misses slices) w.
  Proof.
    intros value loss gain worth slices w B U.
    induction U as [|slices w c w' _ IH [A [S [C M]]] H]; simpl.
    - intros x X. destruct (B x X). split; lra.
    - intros x X.
      destruct (slice_keeps_bounds _ _ _ _ _ _ _ _ IH S A C H x X). split; lra.
  Qed.
End Unwind.

(** A leg that closes at most a lot more than its share, at a price at most [part] from the common
    point's, misses no more than the lot's span in the set and [part] on all that it closes; this
    for every slice anew. *)
Theorem uneven_slice_misses : forall extra lot closed part price move move' off low high,
  0 <= extra <= lot -> 0 <= price -> low <= move <= high -> low <= move' <= high ->
  - part <= off <= part ->
  - (lot * (price * (high - low)) + Qabs closed * part)
  <= extra * (price * (move - move')) + closed * off
  <= lot * (price * (high - low)) + Qabs closed * part.
Proof.
  intros extra lot closed part price move move' off low high E P M M' O.
  assert (S1 : price * (move - move') <= price * (high - low)) by nra.
  assert (S2 : - (price * (high - low)) <= price * (move - move')) by nra.
  assert (S0 : 0 <= price * (high - low)) by nra.
  assert (A1 : extra * (price * (move - move')) <= lot * (price * (high - low))) by nra.
  assert (A2 : - (lot * (price * (high - low))) <= extra * (price * (move - move'))) by nra.
  assert (B : - (Qabs closed * part) <= closed * off <= Qabs closed * part).
  { apply Qabs_case; intro; split; nra. }
  lra.
Qed.

(** Orders must be dead before the way out begins: 10 held and an order to sell 10 lose 10 at most
    by any move within 100 % and any fill, yet 20 if the order fills once the book is closed. *)
Theorem late_fills_break_the_bound : exists (held order : Q -> Q),
  (forall x phi, -(1) <= x <= 1 -> 0 <= phi <= 1 -> -(10) <= held x + phi * order x) /\
  (exists s x, -(1) <= s <= 1 /\ -(1) <= x <= 1 /\ held s + order x == -(20)).
Proof.
  exists (fun x => 10 * x), (fun x => - (10 * x)). split.
  - intros x phi X P. nra.
  - exists (-(1)), 1. lra.
Qed.

Print Assumptions slice_keeps_bounds.
Print Assumptions unwind_stays_within.
Print Assumptions uneven_slice_misses.
Print Assumptions late_fills_break_the_bound.
