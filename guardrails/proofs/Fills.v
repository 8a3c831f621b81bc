(** A leg that may fill in part is an option given to the market, and its limit is the strike.

    A leg has a signed quantity [d] (bought if positive, sold if negative). Filled at the price [p]
    and worth [w] a unit later, it costs [d * (p - w)]. [limit] is the worst price that it accepts,
    [best] the best that the stress set holds: the highest and lowest price of a buy, the lowest and
    highest of a sell, so that both sides read [d * best <= d * p <= d * limit]. *)
Require Import QArith Qminmax Lqa List.
Import ListNotations.
Open Scope Q_scope.
From AgentFund Require Import Sums.

(** Filling any part of a leg costs at most what the market may choose: the whole or nothing. *)
Theorem partial_fill_is_option : forall phi effect,
  0 <= phi <= 1 -> phi * effect <= positive_part effect.
Proof.
  intros phi effect [A B].
  destruct (positive_part_cases effect) as [[U W]|[U W]]; rewrite W; nra.
Qed.

(** A price that a limit order accepts is not worse than its limit, for a buy as for a sell. *)
Lemma inside_limit : forall d p limit,
  (0 <= d -> p <= limit) -> (d <= 0 -> limit <= p) -> d * p <= d * limit.
Proof.
  intros d p limit Hb Hs.
  destruct (Qlt_le_dec d 0); [specialize (Hs ltac:(lra))|specialize (Hb ltac:(lra))]; nra.
Qed.

(** A part of a leg: the share filled, and the price that was paid for it. *)
Definition slice := (Q * Q)%type.

Fixpoint filled (fills : list slice) : Q :=
  match fills with [] => 0 | (phi, _) :: rest => phi + filled rest end.

(** What the slices have cost once a unit is worth [w]. *)
Fixpoint slices_loss (d w : Q) (fills : list slice) : Q :=
  match fills with [] => 0 | (phi, p) :: rest => phi * (d * (p - w)) + slices_loss d w rest end.

(** Every slice is a nonnegative share at a price between the best of the set and the limit. *)
Definition slices_inside (d best limit : Q) (fills : list slice) : Prop :=
  Forall (fun f => 0 <= fst f /\ d * best <= d * snd f <= d * limit) fills.

Lemma filled_nonnegative : forall d best limit fills,
  slices_inside d best limit fills -> 0 <= filled fills.
Proof.
  intros d best limit fills H. induction H as [|[phi p] rest [A _] _ IH]; simpl in *; lra.
Qed.

Lemma slices_loss_at_limit : forall d best limit w fills, slices_inside d best limit fills ->
  slices_loss d w fills <= filled fills * (d * (limit - w)).
Proof.
  intros d best limit w fills H. induction H as [|[phi p] rest [A [_ B]] _ IH]; simpl in *; [lra|].
  nra.
Qed.

Lemma slices_gain_at_best : forall d best limit w fills, slices_inside d best limit fills ->
  - slices_loss d w fills <= filled fills * (d * (w - best)).
Proof.
  intros d best limit w fills H. induction H as [|[phi p] rest [A [B _]] _ IH]; simpl in *; [lra|].
  nra.
Qed.

(** However many slices a leg fills in, and whatever each of them pays inside its limit, it costs no
    more than one option on the whole leg at its limit. *)
Theorem slices_are_one_option : forall d best limit w fills,
  slices_inside d best limit fills -> filled fills <= 1 ->
  slices_loss d w fills <= positive_part (d * (limit - w)).
Proof.
  intros d best limit w fills H One.
  pose proof (slices_loss_at_limit _ _ _ w _ H). pose proof (filled_nonnegative _ _ _ _ H).
  pose proof (partial_fill_is_option (filled fills) (d * (limit - w)) ltac:(lra)). lra.
Qed.

(** Fills better than the limit count in the gain: together they bring no more than the whole leg
    filled at the best price of the set. *)
Theorem improvement_is_in_the_gain : forall d best limit w fills,
  slices_inside d best limit fills -> filled fills <= 1 ->
  - slices_loss d w fills <= positive_part (d * (w - best)).
Proof.
  intros d best limit w fills H One.
  pose proof (slices_gain_at_best _ _ _ w _ H). pose proof (filled_nonnegative _ _ _ _ H).
  pose proof (partial_fill_is_option (filled fills) (d * (w - best)) ltac:(lra)). lra.
Qed.

Print Assumptions partial_fill_is_option.
Print Assumptions slices_are_one_option.
Print Assumptions improvement_is_in_the_gain.
