(** Margin accounts on the way out: no account falls below its maintenance while it is closed.

    NAV moves as certified only while nothing is liquidated. A margin account's certificate says
    that in every scenario its equity, less a reserve for trading costs, covers the maintenance of
    the largest position that its legs can make. These theorems carry that through the slices of a
    way out; they stand beside the machine, whose events do not include a liquidation. *)
Require Import QArith Qminmax Lqa List.
Import ListNotations.
Open Scope Q_scope.
From AgentFund Require Import Sums.

(** Marginal tiers: from each floor on, the rate of maintenance rises. *)
Definition tiers := list (Q * Q).

Fixpoint maintenance (ts : tiers) (notional : Q) : Q :=
  match ts with
  | [] => 0
  | (rise, floor) :: rest => rise * positive_part (notional - floor) + maintenance rest notional
  end.

Definition tiers_ok (ts : tiers) : Prop := Forall (fun t => 0 <= fst t /\ 0 <= snd t) ts.

Lemma positive_part_grows : forall a b, a <= b -> positive_part a <= positive_part b.
Proof.
  intros a b H. destruct (positive_part_cases a) as [[A E]|[A E]];
    destruct (positive_part_cases b) as [[B F]|[B F]]; rewrite E, F; lra.
Qed.

(** A larger position needs no less margin. *)
Theorem maintenance_grows : forall ts n n', tiers_ok ts -> n <= n' ->
  maintenance ts n <= maintenance ts n'.
Proof.
  intros ts n n' T L. induction T as [|[r f] rest [R _] _ IH]; simpl in *; [lra|].
  pose proof (positive_part_grows (n - f) (n' - f) ltac:(lra)). nra.
Qed.

(** A share of a position needs at most that share of its margin: tiers are convex. *)
Theorem maintenance_of_a_share : forall ts n share, tiers_ok ts -> 0 <= share <= 1 ->
  maintenance ts (share * n) <= share * maintenance ts n.
Proof.
  intros ts n s T S. induction T as [|[r f] rest [R F] _ IH]; simpl in *; [lra|].
  assert (P : positive_part (s * n - f) <= s * positive_part (n - f)).
  { destruct (positive_part_cases (s * n - f)) as [[A E]|[A E]];
      destruct (positive_part_cases (n - f)) as [[B G]|[B G]]; rewrite E, G; nra. }
  nra.
Qed.

Lemma maintenance_nonnegative : forall ts n, tiers_ok ts -> 0 <= maintenance ts n.
Proof.
  intros ts n T. induction T as [|[r f] rest [R _] _ IH]; simpl in *; [lra|].
  destruct (positive_part_cases (n - f)) as [[A E]|[A E]]; rewrite E; nra.
Qed.

Section Account.
  Variable scenario : Type.
  Variable inside : scenario -> Prop.
  (** What the whole position needs in a scenario. *)
  Variable needed : scenario -> Q.
  Hypothesis needed_nonnegative : forall x, inside x -> 0 <= needed x.

  (** Equity of the account in each scenario after some slices: [left] of the position is still
      there, [reserve] of the costs that were set aside is not spent. *)
  Inductive closing (whole : scenario -> Q) (costs : Q) : Q -> Q -> (scenario -> Q) -> Prop :=
  | Whole : closing whole costs 1 costs whole
  | Slice : forall left reserve equity a s cost equity',
      closing whole costs left reserve equity ->
      inside s -> 0 <= a <= 1 -> 0 <= cost <= reserve ->
      (forall x, inside x -> a * equity s + (1 - a) * equity x - cost <= equity' x) ->
      closing whole costs ((1 - a) * left) (reserve - cost) equity'.

  (** If equity less the costs set aside covers the maintenance in every scenario, then at every
      moment of a way out in slices it covers that of what is left, in every scenario. *)
  Theorem no_liquidation_on_the_way_out : forall whole costs left reserve equity, 0 <= costs ->
    (forall x, inside x -> needed x + costs <= whole x) ->
    closing whole costs left reserve equity ->
    0 <= left <= 1 /\ 0 <= reserve /\ forall x, inside x -> left * needed x + reserve <= equity x.
  Proof.
    intros whole costs left reserve equity C0 H K.
    induction K as [|left reserve equity a s cost equity' _ [L [R I]] S A C E].
    - split; [lra|]. split; [exact C0|]. intros x X. pose proof (H x X). lra.
    - split; [split; nra|]. split; [lra|]. intros x X.
      pose proof (I s S) as Is. pose proof (I x X) as Ix. pose proof (E x X).
      pose proof (needed_nonnegative s S).
      assert (0 <= a * (left * needed s)) by (apply Qmult_le_0_compat; [lra|nra]).
      assert (a * (left * needed s + reserve) <= a * equity s) by nra.
      assert ((1 - a) * (left * needed x + reserve) <= (1 - a) * equity x) by nra.
      lra.
  Qed.
End Account.

Print Assumptions maintenance_grows.
Print Assumptions maintenance_of_a_share.
Print Assumptions no_liquidation_on_the_way_out.
