(** Reduce-only: orders against a position that are together no larger than it can only shrink it.

    A position is a signed number of base units, an order the signed quantity still open. *)
Require Import ZArith List Lia.
Import ListNotations.
Open Scope Z_scope.

Fixpoint size (orders : list Z) : Z :=
  match orders with [] => 0 | o :: rest => Z.abs o + size rest end.

(** Every order is on the other side, and all of them together are no larger than the position. *)
Definition reduce_only (position : Z) (orders : list Z) : Prop :=
  Forall (fun o => position * o <= 0) orders /\ size orders <= Z.abs position.

(** What can happen: any order fills by any part, is cancelled, or a further one is sent that leaves
    the orders reduce-only. *)
Inductive step : Z * list Z -> Z * list Z -> Prop :=
  | Fill : forall p before o after part, 0 <= part * o -> Z.abs part <= Z.abs o ->
      step (p, before ++ o :: after) (p + part, before ++ (o - part) :: after)
  | Cancel : forall p before o after, step (p, before ++ o :: after) (p, before ++ after)
  | Send : forall p orders o, reduce_only p (o :: orders) -> step (p, orders) (p, o :: orders).

Inductive steps : Z * list Z -> Z * list Z -> Prop :=
  | Stay : forall s, steps s s
  | Then : forall s s' s'', steps s s' -> step s' s'' -> steps s s''.

Lemma size_nonnegative : forall orders, 0 <= size orders.
Proof. induction orders; simpl; lia. Qed.

Lemma size_app : forall a b, size (a ++ b) = size a + size b.
Proof. induction a as [|o a IH]; intro b; simpl; [reflexivity|]. rewrite IH. lia. Qed.

(** The sign of a position that has shrunk is no other. *)
Lemma side_kept : forall p p' o, 0 <= p * p' -> Z.abs p' <= Z.abs p -> p * o <= 0 -> p' * o <= 0.
Proof. intros p p' o S A H. destruct (Z.eq_dec p 0); [assert (p' = 0) by lia; nia|nia]. Qed.

(** One step keeps the orders reduce-only, and the position shrinks on its own side. *)
Lemma step_shrinks : forall p orders p' orders', step (p, orders) (p', orders') ->
  reduce_only p orders -> reduce_only p' orders' /\ Z.abs p' <= Z.abs p /\ 0 <= p * p'.
Proof.
  intros p orders p' orders' St [Side Size]. inversion St; subst.
  - rewrite Forall_app in Side. destruct Side as [Sb So]. inversion So as [|? ? Ho Sa]; subst.
    rewrite size_app in Size. simpl in Size.
    pose proof (size_nonnegative before). pose proof (size_nonnegative after).
    assert (Half : Z.abs (o - part) = Z.abs o - Z.abs part) by nia.
    assert (Opp : p * part <= 0) by nia.
    assert (Shrunk : Z.abs (p + part) = Z.abs p - Z.abs part) by nia.
    assert (A : Z.abs (p + part) <= Z.abs p) by lia.
    assert (S : 0 <= p * (p + part)) by nia.
    repeat split; [| |exact A|exact S].
    + rewrite Forall_app. split; [|constructor].
      * eapply Forall_impl; [|exact Sb]. intros q Hq. simpl in *. eapply side_kept; eassumption.
      * eapply side_kept; [exact S|exact A|]. nia.
      * eapply Forall_impl; [|exact Sa]. intros q Hq. simpl in *. eapply side_kept; eassumption.
    + rewrite size_app. simpl. lia.
  - rewrite Forall_app in Side. destruct Side as [Sb So]. inversion So as [|? ? Ho Sa]; subst.
    rewrite size_app in Size. simpl in Size.
    repeat split; [rewrite Forall_app; split; assumption|rewrite size_app; lia|lia|nia].
  - repeat split; [apply H0|apply H0|lia|nia].
Qed.

(** Reduce-only orders stay reduce-only through every interleaving of partial fills, cancellations
    and further reduce-only orders; at every moment the position is no larger than before and on the
    same side. *)
Theorem reduce_only_never_grows_or_flips : forall p orders p' orders',
  reduce_only p orders -> steps (p, orders) (p', orders') ->
  reduce_only p' orders' /\ Z.abs p' <= Z.abs p /\ 0 <= p * p'.
Proof.
  intros p orders p' orders' R S. remember (p, orders) as s eqn:Es.
  remember (p', orders') as s' eqn:Es'. revert p' orders' Es'.
  induction S as [s | s s' s'' S IH St]; intros p' orders' Es'.
  - subst. injection Es' as E1 E2. subst. repeat split; try apply R; nia.
  - subst. destruct s' as [q others]. destruct (IH eq_refl _ _ eq_refl) as [R' [A B]].
    destruct (step_shrinks _ _ _ _ St R') as [R'' [A' B']].
    split; [exact R''|]. split; [lia|]. destruct (Z.eq_dec q 0); nia.
Qed.

(** The condition is needed: two orders that each reduce, but together are larger than the position,
    can turn it over. *)
Theorem reduce_only_needs_the_sum : exists p o o',
  reduce_only p [o] /\ reduce_only p [o'] /\ 
  exists p', steps (p, [o; o']) (p', [0; 0]) /\ p * p' < 0.
Proof.
  exists 10, (-10), (-5). repeat split; try (repeat constructor; lia); simpl; try lia.
  exists (-5). split; [|lia].
  eapply Then; [eapply Then; [apply Stay|]|].
  - apply (Fill 10 [] (-10) [-5] (-10)); lia.
  - apply (Fill 0 [0] (-5) [] (-5)); lia.
Qed.

Print Assumptions reduce_only_never_grows_or_flips.
Print Assumptions reduce_only_needs_the_sum.
